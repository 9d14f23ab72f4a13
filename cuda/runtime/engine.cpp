#include "cuda/runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace adwp::ADWP_GPU {

ProductKey key_of(const Gemm& op) {
  return {fmt::format("gemm {}{} x {}{} x {}", op.m(), op.transpose_a ? " (A^T)" : "", op.n(),
                      op.transpose_b ? " (B^T)" : "", op.k()),
          fmt::format("{}{}", name_of(op.act), op.bias.defined() ? ", bias" : "")};
}

EngineBackend::EngineBackend(const GpuOptions& options, std::unique_ptr<VendorProducts> vendor)
    : GpuBackend(options),
      vendor_(vendor != nullptr ? std::move(vendor) : open_vendor(device_, options.precision)) {}

std::string EngineBackend::description() const {
  return fmt::format("{}, by {}{}", GpuBackend::description(),
                     options_.engine == Engine::automatic ? "the faster of hand and " : "",
                     vendor_->description());
}

std::vector<std::string> EngineBackend::notes() const {
  std::vector<std::string> lines;
  std::int64_t replaced = 0, to_vendor = 0, to_hand = 0;
  for (const auto& [key, record] : records_) {
    replaced += record.replaced > 0;
    to_vendor += record.fastest == Engine::vendor;
    to_hand += record.fastest == Engine::hand && record.replaced == 0;
  }
  if (options_.engine == Engine::automatic) {
    lines.push_back(fmt::format(
        "engine auto: of {} products, by pass and shape, {} went to the vendor, {} to the kernels here",
        records_.size(), to_vendor, to_hand));
  }
  if (replaced > 0) {
    lines.push_back(fmt::format(
        "engine: {} of {} products were done by the kernels here: {} has no deterministic way to do them in "
        "this precision, shape and workspace",
        replaced, records_.size(), vendor_->description()));
  }
  for (const auto& [key, record] : records_) {
    if (record.replaced == 0) continue;
    lines.push_back(options_.engine == Engine::automatic
                        ? fmt::format("engine: by hand {}", key.text)
                        : fmt::format("engine: by hand {}, {} calls", key.text, record.replaced));
  }
  return lines;
}

// --- workspace -----------------------------------------------------------------------------------------

std::size_t EngineBackend::spare(const Target& result) const {
  if (options_.engine != Engine::automatic || !result.adds()) return 0;
  return (result.tensor.bytes() + 255) / 256 * 256;
}

std::size_t EngineBackend::workspace_for(std::size_t hand, const Target& result) const {
  return spare(result) + std::max(hand, vendor_->workspace_bytes());
}

std::size_t EngineBackend::workspace(const Gemm& op) {
  return workspace_for(GpuBackend::workspace(op), op.c);
}
std::size_t EngineBackend::workspace(const ConvForward& op) {
  return workspace_for(GpuBackend::workspace(op), Target{op.y});
}
std::size_t EngineBackend::workspace(const ConvDgrad& op) {
  return workspace_for(GpuBackend::workspace(op), op.dx);
}
std::size_t EngineBackend::workspace(const ConvWgrad& op) {
  return workspace_for(GpuBackend::workspace(op), op.dw);
}

// --- products ------------------------------------------------------------------------------------------

template <typename Op>
void EngineBackend::run(const Op& op, const Target& result, void* workspace) {
  Record& record = records_[key_of(op)];
  void* rest = static_cast<std::byte*>(workspace) + spare(result);
  Engine engine = options_.engine;
  if (engine == Engine::automatic) {
    if (!record.fastest && !device_.capturing()) {
      const std::size_t bytes = result.tensor.bytes();
      if (result.adds()) device_.copy(workspace, result.tensor.address(), bytes);
      record.fastest = measure(record, op, rest);
      if (result.adds()) device_.copy(result.tensor.address(), workspace, bytes);
    }
    engine = record.fastest.value_or(Engine::hand);
  }
  // Also after measuring: what stands in the end is then what the remembered engine gives every time.
  if (engine == Engine::vendor) {
    if (vendor_->compute(op, rest)) return;
    ++record.replaced;
  }
  GpuBackend::compute(op, rest);
}

template <typename Op>
Engine EngineBackend::measure(Record& record, const Op& op, void* workspace) {
  constexpr int repetitions = 5;
  if (!vendor_->compute(op, workspace)) {  // else it has warmed up
    ++record.replaced;
    return Engine::hand;
  }
  GpuBackend::compute(op, workspace);
  const auto time = [&](const auto& product) {
    return device_.seconds([&] {
      for (int i = 0; i < repetitions; ++i) product();
    });
  };
  const double by_hand = time([&] { GpuBackend::compute(op, workspace); });
  const double by_vendor = time([&] { vendor_->compute(op, workspace); });
  return by_vendor < by_hand ? Engine::vendor : Engine::hand;
}

// No library says which of its products are batch-invariant.
void EngineBackend::compute(const Gemm& op, void* workspace) {
  if (op.batch_invariant) return GpuBackend::compute(op, workspace);
  run(op, op.c, workspace);
}
void EngineBackend::compute(const ConvForward& op, void* workspace) { run(op, Target{op.y}, workspace); }
void EngineBackend::compute(const ConvDgrad& op, void* workspace) { run(op, op.dx, workspace); }
void EngineBackend::compute(const ConvWgrad& op, void* workspace) { run(op, op.dw, workspace); }

}  // namespace adwp::ADWP_GPU
