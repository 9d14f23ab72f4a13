// Batch norm with statistics that are known, as kernels apply it: in a pass of its own (batch_norm.cu), or on
// the way into the convolution that reads the tensor (PendingNorm of framework/backend/operators.h).
#pragma once

#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {

struct Normalised {
  const float *mean, *var, *scale, *shift;
  float epsilon;
};

template <typename Op>  // with statistics
Normalised normalised(const Op& op) {
  return {floats(op.mean), floats(op.var), floats(op.scale), floats(op.shift), op.epsilon};
}

// Of V channels, what a thread keeps in registers: y = act((x - mean) factor + shift). As x factor + (shift -
// mean factor), one operation less, it would lose the digits that a large mean takes.
template <int V>
struct NormLine {
  float mean[V], factor[V], shift[V];

  __device__ NormLine() {}
  __device__ NormLine(const Normalised& norm, std::int64_t channel) {
    float var[V], scale[V];
    load(mean, norm.mean + channel);
    load(var, norm.var + channel);
    load(scale, norm.scale + channel);
    load(shift, norm.shift + channel);
    UNROLL for (int v = 0; v < V; ++v) factor[v] = scale[v] * (1.0f / sqrtf(var[v] + norm.epsilon));
  }
  // To values of these channels, or, where V is 1, to as many of the one.
  template <int N>
  __device__ void apply(Activation act, float (&x)[N]) const {
    static_assert(V == 1 || N == V);
    UNROLL for (int i = 0; i < N; ++i) {
      const int v = V == 1 ? 0 : i;
      x[i] = fmaf(x[i] - mean[v], factor[v], shift[v]);
    }
    activate_all(act, x);
  }
};

// Of the channels from first + own on, what a thread of a block that has 32 channels keeps: each channel's
// numbers are worked out once. Values of bf16 have no digits to lose: their mean is zero, and in the shift.
// For all threads of a block.
template <int V, typename T>
__device__ __forceinline__ NormLine<V> block_norm(const Normalised& norm, int first, int own, int channels) {
  SHARED(float, lines, [3][32]);
  if (const int i = thread_index(); i < 32) {
    NormLine<1> line;
    const bool inside = first + i < channels;
    if (inside) line = NormLine<1>(norm, first + i);
    const bool centred = std::is_same_v<T, float>;
    lines[0][i] = inside && centred ? line.mean[0] : 0.0f;
    lines[1][i] = inside ? line.factor[0] : 0.0f;
    lines[2][i] = inside ? line.shift[0] - (centred ? 0.0f : line.mean[0] * line.factor[0]) : 0.0f;
  }
  __syncthreads();
  NormLine<V> line;
  load(line.factor, &lines[1][own]);
  load(line.shift, &lines[2][own]);
  if constexpr (std::is_same_v<T, float>) {
    load(line.mean, &lines[0][own]);
  } else {
    UNROLL for (float& mean : line.mean) mean = 0;
  }
  return line;
}

// What a convolution does with its input on the way; nothing where there are no statistics.
struct InputNorm {
  Normalised norm;
  Activation act;

  bool defined() const { return norm.mean != nullptr; }
};
inline InputNorm input_norm(const PendingNorm& pending) {
  if (!pending.defined()) return {};
  return {normalised(pending), pending.act};
}

}  // namespace adwp::ADWP_GPU
