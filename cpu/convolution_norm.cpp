// Batch norm joined to the convolution before it: the sums of forward are taken of what a part of the batch
// has just left in cache, and backward computes the gradient between the two for a part at a time.
#include <algorithm>
#include <utility>
#include <vector>

#include "cpu/batch_norm.h"
#include "cpu/convolution_parts.h"
#include "cpu/cpu_class.h"

namespace adwp::cpu {
namespace {

// Sums over some rows, by channel: of the difference from the first row (no cancellation when the mean is
// large), and of its square.
struct Moments {
  std::int64_t channels;
  double *sum, *square;  // (channels) each
  static std::size_t bytes(std::int64_t channels) { return aligned(2 * channels * sizeof(double)); }
  Moments(std::int64_t count, void* memory)
      : channels(count), sum(static_cast<double*>(memory)), square(sum + count) {}

  void take(const float* rows, std::int64_t count) {
    constexpr std::int64_t block = 256;  // rows that are summed in float
    std::fill_n(sum, 2 * channels, 0.0);
    std::vector<float> partial(2 * channels);
    for (std::int64_t begin = 0; begin < count; begin += block) {
      std::ranges::fill(partial, 0.0f);
      const std::int64_t end = std::min(begin + block, count);
      std::int64_t row = begin;
      for (; row + 4 <= end; row += 4) add<4>(rows, row, partial.data());
      for (; row < end; ++row) add<1>(rows, row, partial.data());
      for (std::int64_t c = 0; c < 2 * channels; ++c) sum[c] += partial[c];
    }
  }

 private:
  template <int count>
  void add(const float* rows, std::int64_t row, float* first) {
    float* second = first + channels;
    const float* a = rows + row * channels;
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
      float differences = 0, squares = 0;
      for (int r = 0; r < count; ++r) {
        const float d = a[r * channels + c] - rows[c];
        differences += d;
        squares += d * d;
      }
      first[c] += differences;
      second[c] += squares;
    }
  }
};

}  // namespace

bool CpuBackend::fuses(const ConvBatchNormForward& op) const {
  return !op.pending.defined() && op.z.defined() && op.y.elements() > 0 && op.w.elements() > 0;
}

std::size_t CpuBackend::workspace(const ConvBatchNormForward& op) {
  threads_.watch();
  const ConvolutionParts parts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_);
  return parts.bytes() + parts.count() * Moments::bytes(op.y.shape().back());
}

void CpuBackend::compute(const ConvBatchNormForward& op, void* workspace) {
  const ConvolutionParts parts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_);
  const std::int64_t channels = op.y.shape().back(), pixels = op.y.shape()[1] * op.y.shape()[2];
  const float* y = op.y.data<float>();
  const auto moments_of = [&](std::int64_t part) {
    return Moments(channels,
                   static_cast<std::byte*>(workspace) + parts.bytes() + part * Moments::bytes(channels));
  };
  std::vector<std::pair<std::int64_t, std::int64_t>> rows(
      parts.count());  // the first of each part, and how many
  parts.compute(op.x.address(), op.y.address(), op.w.address(), workspace,
                [&](std::int64_t part, std::int64_t first, std::int64_t images) {
                  rows[part] = {first * pixels, images * pixels};
                  moments_of(part).take(y + first * pixels * channels, images * pixels);
                });
  float *mean = op.mean.data<float>(), *var = op.var.data<float>();
  const double count = op.y.shape().rows();
  std::vector<double> means(channels), squares(channels);  // of the difference from the first row of all
  for (std::int64_t part = 0; part < parts.count(); ++part) {
    const Moments moments = moments_of(part);
    const auto [first, n] = rows[part];
    for (std::int64_t c = 0; c < channels; ++c) {
      // Differences from this part's first row become differences from the first row of all.
      const double apart = double(y[first * channels + c]) - y[c];
      means[c] += (moments.sum[c] + n * apart) / count;
      squares[c] += (moments.square[c] + apart * (2 * moments.sum[c] + n * apart)) / count;
    }
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = y[c] + means[c];
    var[c] = std::max(squares[c] - means[c] * means[c], 0.0);
  }
  normalise(op.y, affine(mean, var, op.scale.data<float>(), op.shift.data<float>(), op.epsilon, channels),
            op.act, op.z);
}

bool CpuBackend::fuses(const ConvBatchNormBackward& op) const {
  const Shape& x = op.x.shape();
  return !op.pending.defined() && x[0] > 1 && x.elements() > 0 && op.w.elements() > 0 &&
         wgrad_by_onednn(op.conv, x, *convolutions_);
}

namespace {

// The gradient of y exists for a part at a time, in the cache of the thread that takes both gradients from
// it.
class FusedBackward {
 public:
  FusedBackward(const ConvBatchNormBackward& op, ConvolutionCache& cache)
      : op_(op),
        wgrad_(ConvPass::wgrad, op.conv, op.x.shape(), op.w.shape(), cache),
        dgrad_(ConvPass::dgrad, op.conv, op.x.shape(), op.w.shape(), cache),
        pixels_(op.y.shape()[1] * op.y.shape()[2]),
        image_(op.x.elements() / op.x.shape()[0]),
        gradient_bytes_(aligned(dgrad_.most_images() * pixels_ * op.y.shape()[3] * sizeof(float))),
        added_bytes_(op.dx.adds() ? aligned(dgrad_.most_images() * image_ * sizeof(float)) : 0) {
    const auto take = [&](std::size_t bytes) { return std::exchange(bytes_, bytes_ + aligned(bytes)); };
    take(wgrad_.bytes());
    at_dgrad_ = take(dgrad_.bytes());
    at_dw_ = take(op.dw.adds() ? op.dw.tensor.bytes() : 0);
    at_own_ = take(threads_with_room() * (gradient_bytes_ + added_bytes_));
    at_sums_ = bytes_;
  }

  std::size_t at_sums() const { return at_sums_; }

  void compute(std::byte* workspace) const {
    const BatchNormBackward normalization = op_.normalization(op_.dz);
    const NormGradient backward(normalization, workspace + at_sums_);
    const auto own = [&] {
      return workspace + at_own_ + omp_get_thread_num() * (gradient_bytes_ + added_bytes_);
    };
    const auto gives = [&](std::int64_t, std::int64_t first, std::int64_t images) {
      auto* gradient = reinterpret_cast<float*>(own());
      backward.rows<false>(first * pixels_, (first + images) * pixels_, gradient);
      return gradient;
    };
    const auto done = [&](std::int64_t part, std::int64_t first, std::int64_t images) {
      if (!op_.dx.tensor.defined()) return;
      auto* gradient = reinterpret_cast<float*>(own());
      float* dx = op_.dx.tensor.data<float>() + first * image_;
      float* computed = op_.dx.adds() ? reinterpret_cast<float*>(own() + gradient_bytes_) : dx;
      dgrad_.compute_part(part, computed, gradient, op_.w.address(), workspace + at_dgrad_);
      if (op_.dx.adds()) add_to(dx, computed, images * image_);
    };
    dgrad_.pack(op_.w.address(), workspace + at_dgrad_);
    const Tensor& dw = op_.dw.tensor;
    void* result = op_.dw.adds() ? workspace + at_dw_ : dw.address();
    wgrad_.compute_wgrad(op_.x.address(), gives, result, workspace, done);
    if (!op_.dw.adds()) return;
    add_to(dw.data<float>(), static_cast<const float*>(result), dw.elements());
  }

 private:
  const ConvBatchNormBackward& op_;
  ConvolutionParts wgrad_, dgrad_;
  std::int64_t pixels_, image_;
  std::size_t gradient_bytes_, added_bytes_;  // of each thread
  std::size_t bytes_ = 0, at_dgrad_ = 0, at_dw_ = 0, at_own_ = 0, at_sums_ = 0;
};

}  // namespace

std::size_t CpuBackend::workspace(const ConvBatchNormBackward& op) {
  return FusedBackward(op, *convolutions_).at_sums() +
         reduction_workspace(op.y.shape().rows(), op.y.shape().back());
}

void CpuBackend::compute(const ConvBatchNormBackward& op, void* workspace) {
  FusedBackward(op, *convolutions_).compute(static_cast<std::byte*>(workspace));
}

}  // namespace adwp::cpu
