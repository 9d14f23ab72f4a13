#include "cpu/convolution.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/loops.h"

namespace adwp::cpu {
namespace {

// L floats as one value; the compiler cuts it to the machine's registers.
template <int L>
struct Lanes {
  typedef float type __attribute__((vector_size(L * sizeof(float))));
};
template <>
struct Lanes<1> {
  using type = float;
};

// Channel counts are any, so addresses are aligned to a float only.
template <typename Vector>
inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
template <typename Vector>
inline void store(float* to, const Vector& value) {
  std::memcpy(to, &value, sizeof(value));
}

// The buffer of one image: (height, width, channels), padded or spread out.
struct Plane {
  std::int64_t height, width, channels;
  std::int64_t elements() const { return height * width * channels; }
};

Plane padded_input(const Conv2d& conv, const Shape& x) {
  return {x[1] + 2 * conv.padding, x[2] + 2 * conv.padding, x[3]};
}

// dgrad is a convolution of stride 1 over dy spread out by the stride, with k - 1 - padding rows of
// zeros around it, and the kernel turned by 180 degrees.
Plane spread_gradient(const Conv2d& conv, const Shape& x) {
  return {x[1] + conv.kernel - 1, x[2] + conv.kernel - 1, x[3]};
}

std::int64_t images_in_parallel(const Shape& x) {
  return std::clamp<std::int64_t>(x[0], 1, omp_get_max_threads());
}

std::int64_t taps_elements(const Conv2d& conv, const Shape& x) { return conv.kernel * conv.kernel * x[3]; }

std::int64_t wgrad_parts(const Shape& x) { return std::min(x[0], reduction_parts / 2); }

// Kernel (C, k, k) to (k * k, C), turned by 180 degrees for dgrad.
void taps_first(const float* w, std::int64_t channels, std::int64_t taps, bool turn, float* out) {
  for (std::int64_t t = 0; t < taps; ++t) {
    const std::int64_t source = turn ? taps - 1 - t : t;
    for (std::int64_t c = 0; c < channels; ++c) out[t * channels + c] = w[c * taps + source];
  }
}

// An image (H, W, C) into the buffer at (top, left), `step` pixels apart, zeros elsewhere.
void place(const float* image, std::int64_t height, std::int64_t width, const Plane& plane, std::int64_t top,
           std::int64_t left, std::int64_t step, float* buffer) {
  std::fill_n(buffer, plane.elements(), 0.0f);
  const std::int64_t channels = plane.channels;
  for (std::int64_t h = 0; h < height; ++h) {
    const std::int64_t row = top + h * step;
    if (row < 0 || row >= plane.height) continue;
    for (std::int64_t w = 0; w < width; ++w) {
      const std::int64_t column = left + w * step;
      if (step == 1 && column >= 0) {  // the rest of the row in one piece
        const std::int64_t count = std::min(width - w, plane.width - column);
        std::memcpy(buffer + (row * plane.width + column) * channels, image + (h * width + w) * channels,
                    std::max<std::int64_t>(count, 0) * channels * sizeof(float));
        break;
      }
      if (column < 0 || column >= plane.width) continue;
      std::memcpy(buffer + (row * plane.width + column) * channels, image + (h * width + w) * channels,
                  channels * sizeof(float));
    }
  }
}

// Outputs (rows, columns) of one padded image for L channels from `c` on; Q outputs of a row at once
// share the kernel's values.
template <int L, int Q, int K, bool accumulate>
inline void correlate_some(const float* in, const Plane& plane, const float* taps, std::int64_t stride,
                           std::int64_t c, std::int64_t p, std::int64_t q, std::int64_t columns, float* out) {
  using Vector = typename Lanes<L>::type;
  const std::int64_t channels = plane.channels;
  Vector sums[Q] = {};
  for (int r = 0; r < K; ++r) {
    const float* row = in + ((p * stride + r) * plane.width + q * stride) * channels + c;
    for (int s = 0; s < K; ++s) {
      const auto weight = load<Vector>(taps + (r * K + s) * channels + c);
      for (int i = 0; i < Q; ++i) {
        sums[i] += weight * load<Vector>(row + (i * stride + s) * channels);
      }
    }
  }
  for (int i = 0; i < Q; ++i) {
    float* target = out + (p * columns + q + i) * channels + c;
    store<Vector>(target, accumulate ? load<Vector>(target) + sums[i] : sums[i]);
  }
}

template <int L, int K, bool accumulate>
void correlate_lanes(const float* in, const Plane& plane, const float* taps, std::int64_t stride,
                     std::int64_t c, std::int64_t rows, std::int64_t columns, float* out) {
  constexpr int Q = 4;
  for (std::int64_t p = 0; p < rows; ++p) {
    std::int64_t q = 0;
    for (; q + Q <= columns; q += Q) {
      correlate_some<L, Q, K, accumulate>(in, plane, taps, stride, c, p, q, columns, out);
    }
    for (; q < columns; ++q) {
      correlate_some<L, 1, K, accumulate>(in, plane, taps, stride, c, p, q, columns, out);
    }
  }
}

template <int K, bool accumulate>
void correlate(const float* in, const Plane& plane, const float* taps, std::int64_t stride, std::int64_t rows,
               std::int64_t columns, float* out) {
  std::int64_t c = 0;
  for (; c + 16 <= plane.channels; c += 16) {
    correlate_lanes<16, K, accumulate>(in, plane, taps, stride, c, rows, columns, out);
  }
  for (; c + 8 <= plane.channels; c += 8) {
    correlate_lanes<8, K, accumulate>(in, plane, taps, stride, c, rows, columns, out);
  }
  for (; c < plane.channels; ++c) {
    correlate_lanes<1, K, accumulate>(in, plane, taps, stride, c, rows, columns, out);
  }
}

// Any kernel size, scalar: for sizes that no space has.
template <bool accumulate>
void correlate_any(const float* in, const Plane& plane, const float* taps, std::int64_t kernel,
                   std::int64_t stride, std::int64_t rows, std::int64_t columns, float* out) {
  for (std::int64_t p = 0; p < rows; ++p) {
    for (std::int64_t q = 0; q < columns; ++q) {
      for (std::int64_t c = 0; c < plane.channels; ++c) {
        float sum = 0;
        for (std::int64_t t = 0; t < kernel * kernel; ++t) {
          const std::int64_t row = p * stride + t / kernel, column = q * stride + t % kernel;
          sum += taps[t * plane.channels + c] * in[(row * plane.width + column) * plane.channels + c];
        }
        float& target = out[(p * columns + q) * plane.channels + c];
        target = accumulate ? target + sum : sum;
      }
    }
  }
}

template <bool accumulate>
void correlate_image(const float* in, const Plane& plane, const float* taps, std::int64_t kernel,
                     std::int64_t stride, std::int64_t rows, std::int64_t columns, float* out) {
  switch (kernel) {
    case 3:
      return correlate<3, accumulate>(in, plane, taps, stride, rows, columns, out);
    case 5:
      return correlate<5, accumulate>(in, plane, taps, stride, rows, columns, out);
    case 7:
      return correlate<7, accumulate>(in, plane, taps, stride, rows, columns, out);
    default:
      return correlate_any<accumulate>(in, plane, taps, kernel, stride, rows, columns, out);
  }
}

// Adds one image's share to dtaps (k * k, C), L channels from c on: row r of the kernel at a time,
// its taps in registers.
template <int L, int K>
void wgrad_lanes(const float* in, const Plane& plane, const float* dy, std::int64_t stride, std::int64_t c,
                 std::int64_t rows, std::int64_t columns, float* dtaps) {
  using Vector = typename Lanes<L>::type;
  const std::int64_t channels = plane.channels;
  for (int r = 0; r < K; ++r) {
    Vector sums[K] = {};
    for (std::int64_t p = 0; p < rows; ++p) {
      const float* row = in + (p * stride + r) * plane.width * channels + c;
      const float* gradient = dy + p * columns * channels + c;
      for (std::int64_t q = 0; q < columns; ++q) {
        const auto g = load<Vector>(gradient + q * channels);
        for (int s = 0; s < K; ++s) {
          sums[s] += g * load<Vector>(row + (q * stride + s) * channels);
        }
      }
    }
    for (int s = 0; s < K; ++s) {
      float* target = dtaps + (r * K + s) * channels + c;
      store<Vector>(target, load<Vector>(target) + sums[s]);
    }
  }
}

template <int K>
void wgrad_known(const float* in, const Plane& plane, const float* dy, std::int64_t stride, std::int64_t rows,
                 std::int64_t columns, float* dtaps) {
  std::int64_t c = 0;
  for (; c + 16 <= plane.channels; c += 16) {
    wgrad_lanes<16, K>(in, plane, dy, stride, c, rows, columns, dtaps);
  }
  for (; c + 8 <= plane.channels; c += 8) {
    wgrad_lanes<8, K>(in, plane, dy, stride, c, rows, columns, dtaps);
  }
  for (; c < plane.channels; ++c) {
    wgrad_lanes<1, K>(in, plane, dy, stride, c, rows, columns, dtaps);
  }
}

void wgrad_any(const float* in, const Plane& plane, const float* dy, std::int64_t kernel, std::int64_t stride,
               std::int64_t rows, std::int64_t columns, float* dtaps) {
  for (std::int64_t t = 0; t < kernel * kernel; ++t) {
    for (std::int64_t p = 0; p < rows; ++p) {
      for (std::int64_t q = 0; q < columns; ++q) {
        const std::int64_t row = p * stride + t / kernel, column = q * stride + t % kernel;
        const float* x = in + (row * plane.width + column) * plane.channels;
        const float* g = dy + (p * columns + q) * plane.channels;
        for (std::int64_t c = 0; c < plane.channels; ++c) {
          dtaps[t * plane.channels + c] += g[c] * x[c];
        }
      }
    }
  }
}

void wgrad_image(const float* in, const Plane& plane, const float* dy, const Conv2d& conv, const Shape& y,
                 float* dtaps) {
  switch (conv.kernel) {
    case 3:
      return wgrad_known<3>(in, plane, dy, conv.stride, y[1], y[2], dtaps);
    case 5:
      return wgrad_known<5>(in, plane, dy, conv.stride, y[1], y[2], dtaps);
    case 7:
      return wgrad_known<7>(in, plane, dy, conv.stride, y[1], y[2], dtaps);
    default:
      return wgrad_any(in, plane, dy, conv.kernel, conv.stride, y[1], y[2], dtaps);
  }
}

// body(n, buffer) for each image, every thread with a buffer of its own.
template <typename Body>
void for_images(const Shape& x, const Plane& plane, float* buffers, Body&& body) {
  const std::int64_t threads = images_in_parallel(x);
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
  for (std::int64_t thread = 0; thread < threads; ++thread) {
    float* buffer = buffers + thread * plane.elements();
    for (std::int64_t n = x[0] * thread / threads; n < x[0] * (thread + 1) / threads; ++n) {
      body(n, buffer);
    }
  }
}

}  // namespace

std::size_t depthwise_workspace(ConvPass pass, const Conv2d& conv, const Shape& x) {
  const Plane plane = pass == ConvPass::dgrad ? spread_gradient(conv, x) : padded_input(conv, x);
  const std::int64_t kernels = pass == ConvPass::wgrad ? wgrad_parts(x) : 1;
  return (taps_elements(conv, x) * kernels + plane.elements() * images_in_parallel(x)) * sizeof(float);
}

void depthwise_forward(const ConvForward& op, void* workspace) {
  const Conv2d& conv = op.conv;
  const Shape &in = op.x.shape(), &out = op.y.shape();
  const Plane plane = padded_input(conv, in);
  auto* taps = static_cast<float*>(workspace);
  taps_first(op.w.data<float>(), in[3], conv.kernel * conv.kernel, false, taps);
  const float* images = op.x.data<float>();
  float* results = op.y.data<float>();
  for_images(in, plane, taps + taps_elements(conv, in), [&](std::int64_t n, float* buffer) {
    place(images + n * in[1] * in[2] * in[3], in[1], in[2], plane, conv.padding, conv.padding, 1, buffer);
    correlate_image<false>(buffer, plane, taps, conv.kernel, conv.stride, out[1], out[2],
                           results + n * out[1] * out[2] * out[3]);
  });
}

void depthwise_dgrad(const ConvDgrad& op, void* workspace) {
  const Conv2d& conv = op.conv;
  const Shape &in = op.dx.tensor.shape(), &out = op.dy.shape();
  const Plane plane = spread_gradient(conv, in);
  auto* taps = static_cast<float*>(workspace);
  taps_first(op.w.data<float>(), in[3], conv.kernel * conv.kernel, true, taps);
  const float* gradients = op.dy.data<float>();
  float* results = op.dx.tensor.data<float>();
  const std::int64_t border = conv.kernel - 1 - conv.padding;
  dispatch(op.dx.mode, [&]<bool accumulate>() {
    for_images(in, plane, taps + taps_elements(conv, in), [&](std::int64_t n, float* buffer) {
      place(gradients + n * out[1] * out[2] * out[3], out[1], out[2], plane, border, border, conv.stride,
            buffer);
      correlate_image<accumulate>(buffer, plane, taps, conv.kernel, 1, in[1], in[2],
                                  results + n * in[1] * in[2] * in[3]);
    });
  });
}

void depthwise_wgrad(const ConvWgrad& op, void* workspace) {
  const Conv2d& conv = op.conv;
  const Shape &in = op.x.shape(), &out = op.dy.shape();
  const Plane plane = padded_input(conv, in);
  const std::int64_t taps = conv.kernel * conv.kernel, channels = in[3];
  const std::int64_t parts = wgrad_parts(in);
  auto* partial = static_cast<float*>(workspace);  // (parts, taps, channels)
  float* buffers = partial + parts * taps * channels;
  const std::int64_t threads = std::min(images_in_parallel(in), parts);
  const float* images = op.x.data<float>();
  const float* gradients = op.dy.data<float>();
  // Parts are fixed by the number of images, not of threads: the same sums in the same order.
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
  for (std::int64_t thread = 0; thread < threads; ++thread) {
    float* buffer = buffers + thread * plane.elements();
    for (std::int64_t part = parts * thread / threads; part < parts * (thread + 1) / threads; ++part) {
      float* dtaps = partial + part * taps * channels;
      std::fill_n(dtaps, taps * channels, 0.0f);
      for (std::int64_t n = in[0] * part / parts; n < in[0] * (part + 1) / parts; ++n) {
        place(images + n * in[1] * in[2] * channels, in[1], in[2], plane, conv.padding, conv.padding, 1,
              buffer);
        wgrad_image(buffer, plane, gradients + n * out[1] * out[2] * channels, conv, out, dtaps);
      }
    }
  }
  float* result = op.dw.tensor.data<float>();  // (channels, taps)
  dispatch(op.dw.mode, [&]<bool accumulate>() {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) {
        float sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) sum += partial[(part * taps + t) * channels + c];
        put<accumulate>(result[c * taps + t], sum);
      }
    }
  });
}

}  // namespace adwp::cpu
