// The emulated device: the host's memory, and kernels that have run when a launch returns.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "cuda/emulation/scheduler.h"
#include "cuda/runtime/device.h"
#include "framework/core/error.h"

namespace adwp::ADWP_GPU {

// ADWPNAS_EMULATION_SEED and ADWPNAS_EMULATION_WORKERS choose the schedule; see docs/kernels.md.
Device::Device() {
  auto read_number = [](const char* name, auto& value) {
    if (const char* text = std::getenv(name))
      value = static_cast<std::decay_t<decltype(value)>>(std::atoll(text));
  };
  read_number("ADWPNAS_EMULATION_SEED", emulation::options().seed);
  read_number("ADWPNAS_EMULATION_WORKERS", emulation::options().workers);
}
Device::~Device() = default;

std::string Device::description() const {
  return fmt::format("CUDA kernels on the CPU, schedule {}", emulation::options().seed);
}
void Device::synchronize() { refuse_in_capture("a wait"); }

double Device::seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

namespace {

class EmulatedGraph : public Graph {
 public:
  explicit EmulatedGraph(emulation::Recording recording) : recording_(std::move(recording)) {}
  void launch() override {
    for (const auto& work : recording_) work();
  }

 private:
  emulation::Recording recording_;
};

}  // namespace

std::unique_ptr<Graph> Device::capture(const std::function<void()>& work) {
  emulation::Recording recording;
  struct Scope {
    Scope(bool& on, emulation::Recording& kept) : capturing(on) {
      capturing = true;
      emulation::recording = &kept;
    }
    ~Scope() {
      capturing = false;
      emulation::recording = nullptr;
    }
    bool& capturing;
  };
  {
    const Scope scope(capturing_, recording);
    work();
  }
  return std::make_unique<EmulatedGraph>(std::move(recording));
}

void* Device::allocate(std::size_t bytes) {
  refuse_in_capture("memory");
  void* pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (pointer == nullptr) {
    fail("emulated", "out of memory, got a request for {} bytes; lower --arena-mb or --batch", bytes);
  }
  return pointer;
}
void Device::release(void* pointer) noexcept { std::free(pointer); }
void Device::write(void* device, const void* host, std::size_t bytes) {
  refuse_in_capture("a copy from the host");
  std::memcpy(device, host, bytes);
}
void Device::read(void* host, const void* device, std::size_t bytes) {
  refuse_in_capture("a copy to the host");
  std::memcpy(host, device, bytes);
}
void Device::copy(void* to, const void* from, std::size_t bytes) {
  emulation::do_or_keep([=] { std::memcpy(to, from, bytes); });
}
void Device::fill(void* device, std::uint8_t value, std::size_t bytes) {
  emulation::do_or_keep([=] { std::memset(device, value, bytes); });
}

}  // namespace adwp::ADWP_GPU
