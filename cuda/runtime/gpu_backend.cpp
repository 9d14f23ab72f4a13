#include "cuda/runtime/gpu_backend.h"

#include <fmt/format.h>

#include "cuda/kernels/hypernetwork.h"
#include "cuda/kernels/load_batch.h"
#include "cuda/kernels/loss.h"
#include "cuda/kernels/optimizer.h"
#include "cuda/kernels/reduce.h"
#include "cuda/runtime/arguments.h"

#define ADWP_TEXT_OF(name) #name
#define ADWP_TEXT(name) ADWP_TEXT_OF(name)

namespace adwp::ADWP_GPU {

std::unique_ptr<Backend> open(const GpuOptions& options) { return std::make_unique<GpuBackend>(options); }
bool usable() { return device_usable(); }

GpuBackend::GpuBackend(const GpuOptions& options)
    : engine_(options.engine, device_,
              options.engine == Engine::hand ? nullptr : open_vendor(device_, options.precision)) {
  choice_.math = options.precision == Precision::bf16   ? Math::bf16
                 : options.precision == Precision::tf32 ? Math::tf32
                                                        : Math::f32;
  choice_.level = options.level == KernelLevel::naive   ? Level::naive
                  : options.level == KernelLevel::tiled ? Level::tiled
                                                        : Level::fast;
}

std::string GpuBackend::name() const { return ADWP_TEXT(ADWP_GPU); }

std::string GpuBackend::description() const {
  const char* math[] = {"f32", "TF32", "bf16"};
  return fmt::format("{}, products in {}{}", device_.description(), math[static_cast<int>(choice_.math)],
                     engine_.description());
}

// --- memory --------------------------------------------------------------------------------------------

void* GpuBackend::do_allocate(std::size_t bytes) { return device_.allocate(bytes); }
void GpuBackend::do_release(void* pointer) noexcept { device_.release(pointer); }
void GpuBackend::do_write(void* device, const void* host, std::size_t bytes) {
  device_.write(device, host, bytes);
}
void GpuBackend::do_read(void* host, const void* device, std::size_t bytes) {
  device_.read(host, device, bytes);
}
void GpuBackend::do_copy(void* to, const void* from, std::size_t bytes) { device_.copy(to, from, bytes); }
void GpuBackend::do_fill(void* device, std::uint8_t value, std::size_t bytes) {
  device_.fill(device, value, bytes);
}

std::size_t GpuBackend::reduction_workspace(std::int64_t rows, std::int64_t channels) {
  return bytes_of(kernels::reduction_scratch(rows, channels));
}

// --- loss ----------------------------------------------------------------------------------------------

void GpuBackend::do_cross_entropy_forward(const Tensor& logits, const Tensor& labels, float smoothing,
                                          const Tensor& loss, void* workspace) {
  kernels::cross_entropy_forward(stream(), in(logits), integers(labels), smoothing, out(loss),
                                 scratch(workspace), logits.shape()[0], logits.shape()[1]);
}

void GpuBackend::do_cross_entropy_backward(const Tensor& dloss, const Tensor& logits, const Tensor& labels,
                                           float smoothing, const Tensor& dlogits, GradMode mode) {
  kernels::cross_entropy_backward(stream(), in(dloss), in(logits), integers(labels), smoothing, out(dlogits),
                                  adds(mode), logits.shape()[0], logits.shape()[1]);
}

void GpuBackend::do_count_hits(const Tensor& logits, const Tensor& labels, const Tensor& score,
                               void* workspace) {
  kernels::count_hits(stream(), in(logits), integers(labels), out(score), scratch(workspace),
                      logits.shape()[0], logits.shape()[1]);
}

// --- the HyperNetwork's operators ------------------------------------------------------------------------

void GpuBackend::do_embedding_sum(const Tensor* tables, int count, const Tensor& index, const Tensor& y) {
  kernels::EmbeddingTables list{{}, count};
  for (int t = 0; t < count; ++t) list.table[t] = in(tables[t]);
  kernels::embedding_sum(stream(), list, integers(index), out(y), y.shape()[0], y.shape()[1]);
}

void GpuBackend::do_embedding_backward(const Tensor& dy, const Tensor& index, int column,
                                       const Tensor& dtable, GradMode mode) {
  kernels::embedding_backward(stream(), in(dy), integers(index), static_cast<int>(index.shape()[1]), column,
                              out(dtable), adds(mode), dy.shape()[0], dy.shape()[1], dtable.shape()[0]);
}

void GpuBackend::do_assemble(const Tensor& source, const Tensor& pieces, const Tensor& result) {
  kernels::assemble(stream(), in(source), reinterpret_cast<const TilePiece*>(integers(pieces)),
                    pieces.shape()[0], out(result));
}

void GpuBackend::do_assemble_backward(const Tensor& dout, const Tensor& pieces, const Tensor& dsource) {
  kernels::assemble_backward(stream(), in(dout), reinterpret_cast<const TilePiece*>(integers(pieces)),
                             pieces.shape()[0], out(dsource));
}

// --- flat buffers ----------------------------------------------------------------------------------------

void GpuBackend::do_sum_of_squares(const Tensor& x, const Tensor& sum, void* workspace) {
  kernels::sum_of_squares(stream(), in(x), out(sum), scratch(workspace), x.elements());
}

void GpuBackend::do_sgd_step(const SgdStep& step, const Tensor& gradient, const Tensor& norm2,
                             const Tensor& velocity, const Tensor& parameter) {
  kernels::sgd_step(stream(), step, in(gradient), in(norm2), out(velocity), out(parameter),
                    parameter.elements());
}

void GpuBackend::do_adamw_step(const AdamWStep& step, const Tensor& gradient, const Tensor& norm2,
                               const Tensor& first, const Tensor& second, const Tensor& parameter) {
  kernels::adamw_step(stream(), step, in(gradient), in(norm2), out(first), out(second), out(parameter),
                      parameter.elements());
}

// --- data ------------------------------------------------------------------------------------------------

void GpuBackend::do_load_batch(const Tensor& images, const Tensor& labels, const Tensor& index,
                               const PixelNorm& norm, const Augmentation& augmentation, const AugmentKey& key,
                               const Tensor& x, const Tensor& y) {
  const Shape& s = x.shape();
  kernels::load_batch(stream(), {s[0], s[1], s[2], s[3]}, images.data<std::uint8_t>(), integers(labels),
                      integers(index), norm, augmentation, key, out(x), y.data<std::int32_t>());
}

}  // namespace adwp::ADWP_GPU
