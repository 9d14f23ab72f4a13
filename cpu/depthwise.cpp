#include "cpu/convolution.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/loops.h"
#include "cpu/threads.h"

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

// The buffer of one image: (height, width, channels), padded.
struct Plane {
  std::int64_t height, width, channels;
  std::int64_t elements() const { return height * width * channels; }
};

Plane padded_input(const Conv2d& conv, const Shape& x) {
  return {x[1] + 2 * conv.padding, x[2] + 2 * conv.padding, x[3]};
}

std::int64_t wgrad_parts(const Shape& x) { return std::min(x[0], reduction_parts / 2); }

// An image (H, W, C) into the buffer, with its padding of zeros around it.
void place(const float* image, std::int64_t height, std::int64_t width, const Plane& plane,
           std::int64_t padding, float* buffer) {
  std::fill_n(buffer, plane.elements(), 0.0f);
  const std::int64_t row = width * plane.channels;
  for (std::int64_t h = 0; h < height; ++h) {
    std::copy_n(image + h * row, row, buffer + ((h + padding) * plane.width + padding) * plane.channels);
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

}  // namespace

std::size_t depthwise_wgrad_workspace(const Conv2d& conv, const Shape& x) {
  const std::int64_t kernel = conv.kernel * conv.kernel * x[3];
  const std::int64_t buffers = std::min<std::int64_t>(wgrad_parts(x), threads_with_room());
  return (kernel * wgrad_parts(x) + padded_input(conv, x).elements() * buffers) * sizeof(float);
}

void depthwise_wgrad(const ConvWgrad& op, void* workspace) {
  const Conv2d& conv = op.conv;
  const Shape &in = op.x.shape(), &out = op.dy.shape();
  const Plane plane = padded_input(conv, in);
  const std::int64_t taps = conv.kernel * conv.kernel, channels = in[3];
  const std::int64_t parts = wgrad_parts(in);
  auto* partial = static_cast<float*>(workspace);  // (parts, taps, channels)
  float* buffers = partial + parts * taps * channels;
  const std::int64_t threads = std::min<std::int64_t>(parts, omp_get_max_threads());
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
        place(images + n * in[1] * in[2] * channels, in[1], in[2], plane, conv.padding, buffer);
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
