#include "cuda/runtime/gpu_backend.h"

#include <fmt/format.h>

#include "cuda/runtime/engine.h"
#include "framework/core/error.h"

#define ADWP_TEXT_OF(name) #name
#define ADWP_TEXT(name) ADWP_TEXT_OF(name)

namespace adwp::ADWP_GPU {

std::unique_ptr<Backend> open(const GpuOptions& options) {
  if (options.engine == Engine::hand) return std::make_unique<GpuBackend>(options);
  return std::make_unique<EngineBackend>(options);
}

std::string obstacle() {
  try {
    Device device;
    require(probe(device), ADWP_TEXT(ADWP_GPU), "{} computes nonsense", device.description());
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

GpuBackend::GpuBackend(const GpuOptions& options) : options_(options) {
  constexpr std::size_t bytes = most_tickets * sizeof(*tickets_);
  tickets_ = static_cast<unsigned*>(device_.allocate(bytes));
  device_.fill(tickets_, 0, bytes);
}
GpuBackend::~GpuBackend() { device_.release(tickets_); }

std::string GpuBackend::name() const { return ADWP_TEXT(ADWP_GPU); }

std::string GpuBackend::description() const {
  const char* precision = options_.precision == Precision::bf16   ? "bf16"
                          : options_.precision == Precision::tf32 ? "TF32"
                                                                  : "f32";
  return fmt::format("{}, products in {}", device_.description(), precision);
}

DType GpuBackend::storage() const {
  const bool narrow = options_.precision == Precision::bf16 && options_.level == KernelLevel::fast &&
                      options_.engine == Engine::hand;
  return narrow ? DType::bf16 : DType::f32;
}

// A graph runs later and again: it can neither wait nor talk to the host.
void Device::refuse_in_capture(const char* what) const {
  require(!capturing_, "capture",
          "recorded work asks for {}, expected kernels, fills and copies on the device", what);
}

}  // namespace adwp::ADWP_GPU
