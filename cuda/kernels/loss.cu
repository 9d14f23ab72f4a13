// Softmax cross-entropy: one warp per row, its lanes side by side over the classes.
#include "cuda/kernels/math.cuh"
#include "cuda/runtime/gpu_backend.h"

namespace adwp::ADWP_GPU {
namespace {

// --- kernels -----------------------------------------------------------------------------------------

constexpr int warps = 4;  // of a block

struct Row {
  float most;        // largest logit
  std::int64_t hit;  // its first place
  float total;       // log(sum(exp(row)))
};

// Every lane gets the row's figures.
__device__ Row read_row(const float* row, std::int64_t classes, std::int64_t lane) {
  Row result{-INFINITY, classes, 0};
  for (std::int64_t c = lane; c < classes; c += 32) {
    if (row[c] > result.most || (row[c] == result.most && c < result.hit)) {
      result.most = row[c];
      result.hit = c;
    }
  }
  UNROLL for (int bits = 16; bits > 0; bits /= 2) {
    const float other = __shfl_xor_sync(~0u, result.most, bits);
    const std::int64_t place = __shfl_xor_sync(~0u, result.hit, bits);
    if (other > result.most || (other == result.most && place < result.hit)) {
      result.most = other;
      result.hit = place;
    }
  }
  float sum = 0;
  for (std::int64_t c = lane; c < classes; c += 32) sum += expf(row[c] - result.most);
  result.total = result.most + logf(warp_sum(sum));
  return result;
}

// partial (parts, 2): sum of losses, and of hits, over the part's rows.
__global__ void __launch_bounds__(32 * warps)
    row_losses(const float* logits, const std::int32_t* labels, float smoothing, float* partial,
               std::int64_t rows, std::int64_t classes) {
  SHARED(float, sums, [2][warps]);
  const std::int64_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::int64_t part = blockIdx.x, parts = gridDim.x, end = rows * (part + 1) / parts;
  float loss = 0, hits = 0;
  for (std::int64_t n = rows * part / parts + warp; n < end; n += warps) {
    const float* row = logits + n * classes;
    const Row r = read_row(row, classes, lane);
    const std::int32_t label = labels[n];
    float rest = 0;
    if (smoothing > 0) {
      for (std::int64_t c = lane; c < classes; c += 32) rest += r.total - row[c];
      rest = warp_sum(rest) / classes;
    }
    loss += (1.0f - smoothing) * (r.total - row[label]) + smoothing * rest;
    hits += r.hit == label ? 1.0f : 0.0f;
  }
  if (lane == 0) {
    sums[0][warp] = loss;
    sums[1][warp] = hits;
  }
  __syncthreads();
  if (threadIdx.x < 2) {
    float total = 0;
    for (int w = 0; w < warps; ++w) total += sums[threadIdx.x][w];
    partial[part * 2 + threadIdx.x] = total;
  }
}

// out[0] = or += factor * sum of losses, and out[1] the hits if wanted.
__global__ void __launch_bounds__(32) total_losses(const float* partial, std::int64_t parts, double factor,
                                                   float* out, bool accumulate, bool hits) {
  double sums[2] = {0, 0};
  for (std::int64_t part = threadIdx.x; part < parts; part += 32) {
    sums[0] += partial[part * 2];
    sums[1] += partial[part * 2 + 1];
  }
  sums[0] = warp_sum(sums[0]);
  sums[1] = warp_sum(sums[1]);
  if (threadIdx.x == 0) {
    put(out[0], factor * sums[0], accumulate);
    if (hits) put(out[1], sums[1], accumulate);
  }
}

__global__ void __launch_bounds__(32 * warps)
    logit_gradient(const float* dloss, const float* logits, const std::int32_t* labels, float smoothing,
                   float* dlogits, bool accumulate, std::int64_t rows, std::int64_t classes) {
  const std::int64_t n = first_index() / 32, lane = threadIdx.x % 32;
  if (n >= rows) return;  // the whole warp
  const float* row = logits + n * classes;
  const Row r = read_row(row, classes, lane);
  const float share = *dloss / rows, rest = smoothing / classes;
  for (std::int64_t c = lane; c < classes; c += 32) {
    const float target = rest + (c == labels[n] ? 1.0f - smoothing : 0.0f);
    put(dlogits[n * classes + c], share * (expf(row[c] - r.total) - target), accumulate);
  }
}

// --- launching ---------------------------------------------------------------------------------------

// out[0] = or += factor * sum of losses over the batch; where it adds, out[1] += hits.
void run_losses(const char* name, Stream stream, const Tensor& logits, const Tensor& labels, float smoothing,
                double factor, const Tensor& out, bool adds, float* partial) {
  const std::int64_t rows = logits.shape()[0], parts = reduction_parts(rows);
  launch(name, row_losses, parts, 32 * warps, 0, stream, floats(logits), integers(labels), smoothing, partial,
         rows, logits.shape()[1]);
  launch(name, total_losses, 1, 32, 0, stream, partial, parts, factor, floats(out), adds, adds);
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const CrossEntropyForward& op, void* workspace) {
  run_losses(op.name, stream(), op.logits, op.labels, op.smoothing, 1.0 / op.logits.shape()[0], op.loss,
             false, scratch(workspace));
}

void GpuBackend::compute(const CrossEntropyBackward& op, void*) {
  const std::int64_t rows = op.logits.shape()[0];
  launch(op.name, logit_gradient, ceil_divide(rows, warps), 32 * warps, 0, stream(), floats(op.dloss),
         floats(op.logits), integers(op.labels), op.smoothing, floats(op.dlogits), op.dlogits.adds(), rows,
         op.logits.shape()[1]);
}

void GpuBackend::compute(const CountHits& op, void* workspace) {
  run_losses(op.name, stream(), op.logits, op.labels, 0.0f, 1.0, op.score, true, scratch(workspace));
}

}  // namespace adwp::ADWP_GPU
