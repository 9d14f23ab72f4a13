// Max, average and global pooling, NHWC.
#include <algorithm>
#include <limits>

#include "cpu/cpu_class.h"
#include "cpu/math.h"
#include "cpu/parallel.h"

namespace adwp::cpu {
namespace {

// The part of a window that lies inside the image, along one axis.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};
Range window(const Pool2d& pool, std::int64_t out, std::int64_t in_size) {
  const std::int64_t begin = out * pool.stride - pool.padding;
  return {std::max<std::int64_t>(begin, 0), std::min(begin + pool.kernel, in_size)};
}

template <typename Body>
void for_images(const Shape& shape, Body&& body) {
  parallel_for(shape[0], grain_for(shape[1] * shape[2] * shape[3]),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = begin; n < end; ++n) body(n);
               });
}

// body(pixel, rows, columns) for every output pixel: its window, cut to the image.
template <typename Body>
void for_windows(const Pool2d& pool, const Shape& x, const Shape& y, Body&& body) {
  for (std::int64_t p = 0; p < y[1]; ++p) {
    for (std::int64_t q = 0; q < y[2]; ++q) {
      body(p * y[2] + q, window(pool, p, x[1]), window(pool, q, x[2]));
    }
  }
}

}  // namespace

void CpuBackend::do_max_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y,
                                     const Tensor& argmax) {
  const Shape &in = x.shape(), &out = y.shape();
  const std::int64_t channels = in[3];
  for_images(out, [&](std::int64_t n) {
    const float* image = x.data<float>() + n * in[1] * in[2] * channels;
    float* result = y.data<float>() + n * out[1] * out[2] * channels;
    std::int32_t* where = argmax.data<std::int32_t>() + n * out[1] * out[2] * channels;
    for_windows(pool, in, out, [&](std::int64_t pixel, Range rows, Range columns) {
      float* best = result + pixel * channels;
      std::int32_t* index = where + pixel * channels;
      std::fill_n(best, channels, -std::numeric_limits<float>::infinity());
      std::fill_n(index, channels, static_cast<std::int32_t>(rows.begin * in[2] + columns.begin));
      for (std::int64_t h = rows.begin; h < rows.end; ++h) {
        for (std::int64_t w = columns.begin; w < columns.end; ++w) {
          const float* values = image + (h * in[2] + w) * channels;
          const auto place = static_cast<std::int32_t>(h * in[2] + w);
          for (std::int64_t c = 0; c < channels; ++c) {
            if (values[c] > best[c]) best[c] = values[c], index[c] = place;
          }
        }
      }
    });
  });
}

void CpuBackend::do_max_pool_backward(const Pool2d&, const Tensor& dy, const Tensor& argmax, const Tensor& dx,
                                      GradMode mode) {
  const Shape &in = dx.shape(), &out = dy.shape();
  const std::int64_t channels = in[3], image = in[1] * in[2] * channels;
  const std::int64_t pixels = out[1] * out[2];
  for_images(in, [&](std::int64_t n) {
    float* result = dx.data<float>() + n * image;
    if (mode == GradMode::overwrite) std::fill_n(result, image, 0.0f);
    const float* gradient = dy.data<float>() + n * pixels * channels;
    const std::int32_t* where = argmax.data<std::int32_t>() + n * pixels * channels;
    for (std::int64_t i = 0; i < pixels; ++i) {
      for (std::int64_t c = 0; c < channels; ++c) {
        result[where[i * channels + c] * channels + c] += gradient[i * channels + c];
      }
    }
  });
}

void CpuBackend::do_average_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y) {
  const Shape &in = x.shape(), &out = y.shape();
  const std::int64_t channels = in[3];
  for_images(out, [&](std::int64_t n) {
    const float* image = x.data<float>() + n * in[1] * in[2] * channels;
    float* result = y.data<float>() + n * out[1] * out[2] * channels;
    for_windows(pool, in, out, [&](std::int64_t pixel, Range rows, Range columns) {
      float* sum = result + pixel * channels;
      std::fill_n(sum, channels, 0.0f);
      for (std::int64_t h = rows.begin; h < rows.end; ++h) {
        for (std::int64_t w = columns.begin; w < columns.end; ++w) {
          const float* values = image + (h * in[2] + w) * channels;
          for (std::int64_t c = 0; c < channels; ++c) sum[c] += values[c];
        }
      }
      const float share = 1.0f / static_cast<float>(rows.size() * columns.size());
      for (std::int64_t c = 0; c < channels; ++c) sum[c] *= share;
    });
  });
}

void CpuBackend::do_average_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& dx,
                                          GradMode mode) {
  const Shape &in = dx.shape(), &out = dy.shape();
  const std::int64_t channels = in[3], image = in[1] * in[2] * channels;
  for_images(in, [&](std::int64_t n) {
    float* result = dx.data<float>() + n * image;
    if (mode == GradMode::overwrite) std::fill_n(result, image, 0.0f);
    const float* gradient = dy.data<float>() + n * out[1] * out[2] * channels;
    for_windows(pool, in, out, [&](std::int64_t pixel, Range rows, Range columns) {
      const float share = 1.0f / static_cast<float>(rows.size() * columns.size());
      for (std::int64_t h = rows.begin; h < rows.end; ++h) {
        for (std::int64_t w = columns.begin; w < columns.end; ++w) {
          float* target = result + (h * in[2] + w) * channels;
          for (std::int64_t c = 0; c < channels; ++c) {
            target[c] += gradient[pixel * channels + c] * share;
          }
        }
      }
    });
  });
}

void CpuBackend::do_global_pool_forward(const Tensor& x, const Tensor& y) {
  const Shape& in = x.shape();
  const std::int64_t pixels = in[1] * in[2], channels = in[3];
  const float share = 1.0f / static_cast<float>(pixels);
  for_images(in, [&](std::int64_t n) {
    const float* image = x.data<float>() + n * pixels * channels;
    float* sum = y.data<float>() + n * channels;
    std::fill_n(sum, channels, 0.0f);
    for (std::int64_t i = 0; i < pixels; ++i) {
      for (std::int64_t c = 0; c < channels; ++c) sum[c] += image[i * channels + c];
    }
    for (std::int64_t c = 0; c < channels; ++c) sum[c] *= share;
  });
}

void CpuBackend::do_global_pool_backward(const Tensor& dy, const Tensor& dx, GradMode mode) {
  const Shape& in = dx.shape();
  const std::int64_t pixels = in[1] * in[2], channels = in[3];
  const float share = 1.0f / static_cast<float>(pixels);
  dispatch(mode, [&]<bool accumulate>() {
    for_images(in, [&](std::int64_t n) {
      const float* gradient = dy.data<float>() + n * channels;
      float* image = dx.data<float>() + n * pixels * channels;
      for (std::int64_t i = 0; i < pixels; ++i) {
        for (std::int64_t c = 0; c < channels; ++c) {
          put<accumulate>(image[i * channels + c], gradient[c] * share);
        }
      }
    });
  });
}

}  // namespace adwp::cpu
