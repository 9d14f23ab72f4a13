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
  float total;       // log(sum(exp(scale * row)))
};

// Every lane gets the row's figures.
__device__ Row read_row(const float* row, std::int64_t classes, std::int64_t lane, float scale = 1) {
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
  for (std::int64_t c = lane; c < classes; c += 32) sum += expf((row[c] - result.most) * scale);
  result.total = result.most * scale + logf(warp_sum(sum));
  return result;
}

// ClassTargets, as kernels take them; what is not given is null.
struct Goal {
  const std::int32_t *labels, *others;
  const float *shares, *teacher;
  float smoothing, cool, teaching;  // cool: 1 / T

  __device__ float share(std::int64_t n) const { return shares != nullptr ? shares[n] : 1.0f; }
};

// T^2 KL(q || softmax(row / T)) on every lane; q from the teacher's row.
__device__ float teacher_loss(const float* row, const float* teacher, std::int64_t classes, std::int64_t lane,
                              float cool) {
  const float total = read_row(row, classes, lane, cool).total;
  const float told = read_row(teacher, classes, lane, cool).total;
  float sum = 0;
  for (std::int64_t c = lane; c < classes; c += 32) {
    const float q = teacher[c] * cool - told;
    sum += expf(q) * (q - (row[c] * cool - total));
  }
  return warp_sum(sum) / (cool * cool);
}

// partial (parts, 2): sum of losses, and of hits, over the part's rows.
__global__ void __launch_bounds__(32 * warps)
    row_losses(const float* logits, Goal goal, float* partial, std::int64_t rows, std::int64_t classes) {
  SHARED(float, sums, [2][warps]);
  const std::int64_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::int64_t part = blockIdx.x, parts = gridDim.x, end = rows * (part + 1) / parts;
  float loss = 0, hits = 0;
  for (std::int64_t n = rows * part / parts + warp; n < end; n += warps) {
    const float* row = logits + n * classes;
    const Row r = read_row(row, classes, lane);
    const std::int32_t label = goal.labels[n];
    float rest = 0, wrong = r.total - row[label];
    if (goal.shares != nullptr) {
      const float share = goal.shares[n];
      wrong = share * wrong + (1.0f - share) * (r.total - row[goal.others[n]]);
    }
    if (goal.smoothing > 0) {
      for (std::int64_t c = lane; c < classes; c += 32) rest += r.total - row[c];
      rest = warp_sum(rest) / classes;
    }
    float own = (1.0f - goal.smoothing) * wrong + goal.smoothing * rest;
    if (goal.teaching > 0) {
      const float taught = teacher_loss(row, goal.teacher + n * classes, classes, lane, goal.cool);
      own = (1.0f - goal.teaching) * own + goal.teaching * taught;
    }
    loss += own;
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
    logit_gradient(const float* dloss, const float* logits, Goal goal, float* dlogits, bool accumulate,
                   std::int64_t rows, std::int64_t classes) {
  const std::int64_t n = first_index() / 32, lane = threadIdx.x % 32;
  if (n >= rows) return;  // the whole warp
  const float* row = logits + n * classes;
  const float* teacher = goal.teacher + n * classes;
  const bool taught = goal.teaching > 0;
  const Row r = read_row(row, classes, lane);
  const float cooled = taught ? read_row(row, classes, lane, goal.cool).total : 0;
  const float told = taught ? read_row(teacher, classes, lane, goal.cool).total : 0;
  const float factor = *dloss / rows, rest = goal.smoothing / classes, share = goal.share(n);
  for (std::int64_t c = lane; c < classes; c += 32) {
    const float first = c == goal.labels[n] ? share : 0.0f;
    const float second = c == goal.others[n] ? 1.0f - share : 0.0f;
    float slope = expf(row[c] - r.total) - (rest + (first + second) * (1.0f - goal.smoothing));
    if (taught) {
      const float apart = expf(row[c] * goal.cool - cooled) - expf(teacher[c] * goal.cool - told);
      slope = (1.0f - goal.teaching) * slope + goal.teaching / goal.cool * apart;
    }
    put(dlogits[n * classes + c], factor * slope, accumulate);
  }
}

// --- launching ---------------------------------------------------------------------------------------

Goal goal_of(const ClassTargets& t) {
  const bool taught = t.teacher.defined();
  return {integers(t.labels),
          t.others.defined() ? integers(t.others) : integers(t.labels),
          t.share.defined() ? floats(t.share) : nullptr,
          taught ? floats(t.teacher) : nullptr,
          t.smoothing,
          1 / t.temperature,
          taught ? t.teaching : 0};
}

// out[0] = or += factor * sum of losses over the batch; where it adds, out[1] += hits.
void run_losses(const char* name, Stream stream, const Tensor& logits, const ClassTargets& targets,
                double factor, const Tensor& out, bool adds, float* partial) {
  const std::int64_t rows = logits.shape()[0], parts = reduction_parts(rows);
  launch(name, row_losses, parts, 32 * warps, 0, stream, floats(logits), goal_of(targets), partial, rows,
         logits.shape()[1]);
  launch(name, total_losses, 1, 32, 0, stream, partial, parts, factor, floats(out), adds, adds);
}

}  // namespace

// --- operators ---------------------------------------------------------------------------------------

void GpuBackend::compute(const CrossEntropyForward& op, void* workspace) {
  run_losses(op.name, stream(), op.logits, op.targets, 1.0 / op.logits.shape()[0], op.loss, false,
             scratch(workspace));
}

void GpuBackend::compute(const CrossEntropyBackward& op, void*) {
  const std::int64_t rows = op.logits.shape()[0];
  launch(op.name, logit_gradient, ceil_divide(rows, warps), 32 * warps, 0, stream(), floats(op.dloss),
         floats(op.logits), goal_of(op.targets), floats(op.dlogits), op.dlogits.adds(), rows,
         op.logits.shape()[1]);
}

void GpuBackend::compute(const CountHits& op, void* workspace) {
  run_losses(op.name, stream(), op.logits, {.labels = op.labels}, 1.0, op.score, true, scratch(workspace));
}

}  // namespace adwp::ADWP_GPU
