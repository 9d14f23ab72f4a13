// Where the matrices of a convolution find their elements. No matrix is ever laid out in memory: the
// gather happens while a tile travels to shared memory. Chunks of four stay within one pixel because
// channel counts are multiples of 4 wherever V is 4.
#pragma once

#include "cuda/kernels/convolution.h"
#include "cuda/kernels/tile_product.cuh"

namespace adwp::ADWP_GPU {

// Rows: output pixels (n, p, q). k: (r, s, c). Elements of x.
struct WindowOperand {
  static constexpr bool along_k = true;
  const float* data;
  ConvShape s;

  struct Row {
    const float* image;  // nullptr: no such row
    int top, left;
  };
  __device__ Row row(std::int64_t index) const {
    if (index >= s.outputs()) return {nullptr, 0, 0};
    const int q = index % s.out_width;
    const std::int64_t rest = index / s.out_width;
    const int p = rest % s.out_height;
    const std::int64_t n = rest / s.out_height;
    return {data + n * s.height * s.width * s.channels, p * s.stride - s.padding, q * s.stride - s.padding};
  }
  __device__ const float* at(const Row& row, std::int64_t k) const {
    const int depth = k, c = depth % s.channels, tap = depth / s.channels;
    const int h = row.top + tap / s.kernel, w = row.left + tap % s.kernel;
    if (row.image == nullptr || tap >= s.taps() || h < 0 || h >= s.height || w < 0 || w >= s.width) {
      return nullptr;
    }
    return row.image + pixel(h, s.width, w, s.channels) + c;
  }
};

// Rows: input pixels (n, h, w). k: (r, s, filter). Elements of dy whose windows hold the pixel at (r, s).
struct GradientOperand {
  static constexpr bool along_k = true;
  const float* data;
  ConvShape s;

  struct Row {
    const float* image;
    int h, w;  // with padding
  };
  __device__ Row row(std::int64_t index) const {
    if (index >= s.inputs()) return {nullptr, 0, 0};
    const int w = index % s.width;
    const std::int64_t rest = index / s.width;
    const int h = rest % s.height;
    const std::int64_t n = rest / s.height;
    return {data + n * s.out_height * s.out_width * s.filters, h + s.padding, w + s.padding};
  }
  __device__ const float* at(const Row& row, std::int64_t k) const {
    const int depth = k, filter = depth % s.filters, tap = depth / s.filters;
    const int h = row.h - tap / s.kernel, w = row.w - tap % s.kernel;
    if (row.image == nullptr || tap >= s.taps() || h < 0 || w < 0 || h % s.stride != 0 || w % s.stride != 0) {
      return nullptr;
    }
    const int p = h / s.stride, q = w / s.stride;
    if (p >= s.out_height || q >= s.out_width) return nullptr;
    return row.image + pixel(p, s.out_width, q, s.filters) + filter;
  }
};

// Rows: input channels. k: (r, s, filter). Elements of w.
struct KernelOperand {
  static constexpr bool along_k = false;
  const float* data;
  ConvShape s;

  struct Row {
    int channel;
    bool valid;
  };
  __device__ Row row(std::int64_t index) const {
    const int channel = index;
    return {channel, index < s.channels};
  }
  __device__ const float* at(const Row& row, std::int64_t k) const {
    const int depth = k, filter = depth % s.filters, tap = depth / s.filters;
    if (!row.valid || tap >= s.taps()) return nullptr;
    return data + pixel(filter, s.taps(), tap, s.channels) + row.channel;
  }
};

// Rows: (r, s, c). k: output pixels (n, p, q). Elements of x.
struct TransposedWindowOperand {
  static constexpr bool along_k = false;
  const float* data;
  ConvShape s;

  struct Row {
    int top, left, channel;
    bool valid;
  };
  __device__ Row row(std::int64_t index) const {
    const int i = index, tap = i / s.channels;
    return {tap / s.kernel - s.padding, tap % s.kernel - s.padding, i % s.channels, tap < s.taps()};
  }
  __device__ const float* at(const Row& row, std::int64_t k) const {
    if (!row.valid || k >= s.outputs()) return nullptr;
    const int q = k % s.out_width;
    const std::int64_t rest = k / s.out_width;
    const int p = rest % s.out_height;
    const std::int64_t n = rest / s.out_height;
    const int h = p * s.stride + row.top, w = q * s.stride + row.left;
    if (h < 0 || h >= s.height || w < 0 || w >= s.width) return nullptr;
    return data + ((n * s.height + h) * s.width + w) * s.channels + row.channel;
  }
};

}  // namespace adwp::ADWP_GPU
