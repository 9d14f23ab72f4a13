// Where the matrices of a convolution find their elements. No matrix is ever laid out in memory: the
// gather happens while a tile travels to shared memory. Chunks of four (of bf16: eight) stay within one pixel
// because channel counts are multiples of that wherever there are any.
#pragma once

#include "cuda/kernels/convolution.h"
#include "cuda/kernels/tile_product.cuh"

namespace adwp::ADWP_GPU {

// A k of (r, s, channel): a tap of the window and a channel.
struct TapDepth {
  int r, s, channel;
};
__device__ __forceinline__ TapDepth tap_depth(std::int64_t k, int channels, int kernel) {
  const int depth = k, tap = depth / channels;
  return {tap / kernel, tap % kernel, depth % channels};
}
__device__ __forceinline__ void advance_tap(TapDepth& depth, int channels, int kernel) {
  depth.channel += tile_k;
  while (depth.channel >= channels) {
    depth.channel -= channels;
    if (++depth.s == kernel) {
      depth.s = 0;
      ++depth.r;
    }
  }
}

// Rows: output pixels (n, p, q). k: (r, s, c). Elements of x.
template <typename T = float>
struct WindowOperand {
  using Element = T;
  static constexpr bool along_k = true;
  const T* data;
  ConvShape s;

  struct Row {
    const T* image;  // nullptr: no such row
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
  using Depth = TapDepth;
  __device__ Depth depth(std::int64_t k) const { return tap_depth(k, s.channels, s.kernel); }
  __device__ void advance(Depth& depth) const { advance_tap(depth, s.channels, s.kernel); }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    const int h = row.top + depth.r, w = row.left + depth.s;
    if (row.image == nullptr || depth.r >= s.kernel || h < 0 || h >= s.height || w < 0 || w >= s.width) {
      return nullptr;
    }
    return row.image + pixel(h, s.width, w, s.channels) + depth.channel;
  }
};

// Rows: input pixels (n, h, w). k: (r, s, filter). Elements of dy whose windows hold the pixel at (r, s).
template <typename T = float>
struct GradientOperand {
  using Element = T;
  static constexpr bool along_k = true;
  const T* data;
  ConvShape s;

  struct Row {
    const T* image;
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
  using Depth = TapDepth;
  __device__ Depth depth(std::int64_t k) const { return tap_depth(k, s.filters, s.kernel); }
  __device__ void advance(Depth& depth) const { advance_tap(depth, s.filters, s.kernel); }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    int p = row.h - depth.r, q = row.w - depth.s;
    if (row.image == nullptr || depth.r >= s.kernel || p < 0 || q < 0) return nullptr;
    if (s.stride != 1) {
      if (p % s.stride != 0 || q % s.stride != 0) return nullptr;
      p /= s.stride;
      q /= s.stride;
    }
    if (p >= s.out_height || q >= s.out_width) return nullptr;
    return row.image + pixel(p, s.out_width, q, s.filters) + depth.channel;
  }
};

// Rows: input channels. k: (r, s, filter). Elements of w.
struct KernelOperand {
  using Element = float;
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
  using Depth = TapDepth;  // of which the channel is the filter
  __device__ Depth depth(std::int64_t k) const { return tap_depth(k, s.filters, s.kernel); }
  __device__ void advance(Depth& depth) const { advance_tap(depth, s.filters, s.kernel); }
  __device__ const float* at(const Row& row, const Depth& depth) const {
    if (!row.valid || depth.r >= s.kernel) return nullptr;
    return data + pixel(depth.channel, s.taps(), depth.r * s.kernel + depth.s, s.channels) + row.channel;
  }
};

// Rows: (r, s, c). k: output pixels (n, p, q). Elements of x.
template <typename T = float>
struct TransposedWindowOperand {
  using Element = T;
  static constexpr bool along_k = false;
  const T* data;
  ConvShape s;

  struct Row {
    int top, left, channel;
    bool valid;
  };
  __device__ Row row(std::int64_t index) const {
    const int i = index, tap = i / s.channels;
    return {tap / s.kernel - s.padding, tap % s.kernel - s.padding, i % s.channels, tap < s.taps()};
  }
  struct Depth {
    std::int64_t n;
    int p, q;
  };
  __device__ Depth depth(std::int64_t k) const {
    const std::int64_t rest = k / s.out_width;
    return {rest / s.out_height, static_cast<int>(rest % s.out_height), static_cast<int>(k % s.out_width)};
  }
  __device__ void advance(Depth& depth) const {
    depth.q += tile_k;
    while (depth.q >= s.out_width) {
      depth.q -= s.out_width;
      if (++depth.p == s.out_height) {
        depth.p = 0;
        ++depth.n;
      }
    }
  }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    if (!row.valid || depth.n >= s.images) return nullptr;
    const int h = depth.p * s.stride + row.top, w = depth.q * s.stride + row.left;
    if (h < 0 || h >= s.height || w < 0 || w >= s.width) return nullptr;
    return data + ((depth.n * s.height + h) * s.width + w) * s.channels + row.channel;
  }
};

}  // namespace adwp::ADWP_GPU
