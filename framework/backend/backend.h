// The contract that every device fulfils.
//
// A public method checks shapes and dtypes, returns early when there is nothing to compute (zero
// elements, or the output lives in a counting arena), takes the workspace that the device asks for
// from the output's arena, and calls the private virtual of the same name, which computes.
// Formulas, shapes and units stand here, once: each device and the oracle in tests/ obey them.
//
// All tensors of a call live on the backend's device. Work is ordered as issued (one stream). The
// same inputs give the same bits on the same device; reductions have a fixed order.
// Images are (N, H, W, C), kernels (K, R, S, C / groups), matrices (rows, columns); f32 unless said.
// Gradients obey their GradMode: overwrite, or accumulate onto what stands there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/backend/profile.h"
#include "framework/backend/replay.h"
#include "framework/backend/specs.h"
#include "framework/core/memory.h"
#include "framework/core/tensor.h"

namespace adwp {

enum class ConvPass { forward, dgrad, wgrad };

class Backend : public Memory {
 public:
  virtual std::string name() const = 0;         // "cpu", "cuda", "emulated"
  virtual std::string description() const = 0;  // the hardware, for logs and results
  virtual void synchronize() = 0;               // waits until all issued work is done
  // What the end of a run should tell of how the device worked, beyond its description; a line each.
  virtual std::vector<std::string> notes() const { return {}; }

  // Times every method into `profile` until detached with nullptr.
  void attach(Profile* profile) { profile_ = profile; }
  bool profiled() const { return profile_ != nullptr; }

  // Seconds that the device takes for `work`, by its own clock where it has one; waits for the end.
  virtual double seconds(const std::function<void()>& work);
  // Records what `work` asks of the device instead of doing it. nullptr, and `work` not called: this device
  // does not record. Use Replay, which knows when that is right.
  virtual std::unique_ptr<Graph> capture(const std::function<void()>& work);

  // --- matrix products -------------------------------------------------------------------------
  // c = act(op(a) op(b) + bias), or c += op(a) op(b) when mode is accumulate (then bias must be
  // empty and act none). bias: (N) or empty.
  void gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias, Activation act,
            const Tensor& c, GradMode mode);
  // The same for each of a batch of B: op(a) (B, M, K), op(b) (B, K, N), c (B, M, N); bias: (B, N), or (N)
  // for all, or empty.
  void batched_gemm(const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias, Activation act,
                    const Tensor& c, GradMode mode);
  // sum[n] = sum_m x[m,n]; x (M, N), sum (N). The gradient of a bias.
  void column_sum(const Tensor& x, const Tensor& sum, GradMode mode);

  // --- convolution (specs.h) -------------------------------------------------------------------
  void conv2d_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& y);
  void conv2d_dgrad(const Conv2d& conv, const Tensor& dy, const Tensor& w, const Tensor& dx, GradMode mode);
  void conv2d_wgrad(const Conv2d& conv, const Tensor& x, const Tensor& dy, const Tensor& dw, GradMode mode);

  // conv2d_forward of x and w to y, and batch_norm_forward (below) of y to z, in one: where the device can,
  // the statistics are taken from the sums that the convolution holds, and y is not read again for them.
  void conv2d_batch_norm_forward(const Conv2d& conv, const Tensor& x, const Tensor& w, const Tensor& scale,
                                 const Tensor& shift, float epsilon, Activation act, const Tensor& y,
                                 const Tensor& z, const Tensor& mean, const Tensor& var);

  // --- normalisation ---------------------------------------------------------------------------
  // Batch norm over the rows of x (..., C), with the activation in the same pass:
  //   mean[c], var[c]: mean and biased variance of x[:,c];
  //   y = act((x - mean) / sqrt(var + epsilon) * scale + shift).
  // scale, shift, mean, var: (C). mean and var are written, for the backward pass.
  void batch_norm_forward(const Tensor& x, const Tensor& scale, const Tensor& shift, float epsilon,
                          Activation act, const Tensor& y, const Tensor& mean, const Tensor& var);
  // The gradient of the above, through the statistics. `mode` holds for dx, dscale and dshift each.
  void batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& var,
                           const Tensor& scale, const Tensor& shift, float epsilon, Activation act,
                           const Tensor& dx, GradMode dx_mode, const Tensor& dscale, GradMode dscale_mode,
                           const Tensor& dshift, GradMode dshift_mode);
  // The same formula with given statistics.
  void batch_norm_inference(const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& scale,
                            const Tensor& shift, float epsilon, Activation act, const Tensor& y);
  // Layer norm over each row of x (M, N), without scale and shift:
  //   y = act((x - mean_m) / sqrt(var_m + epsilon)); inverse deviation 1/sqrt(..) and mean: (M).
  void layer_norm_forward(const Tensor& x, float epsilon, Activation act, const Tensor& y, const Tensor& mean,
                          const Tensor& inverse);
  void layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& inverse,
                           Activation act, const Tensor& dx, GradMode mode);

  // --- elementwise -----------------------------------------------------------------------------
  // relu max(x,0); silu x/(1+e^-x); hard_sigmoid clamp(x/6 + 1/2, 0, 1); hard_swish x times that.
  // At a kink the gradient is that of the left side (0 for relu at 0).
  void activation_forward(Activation act, const Tensor& x, const Tensor& y);
  void activation_backward(Activation act, const Tensor& x, const Tensor& dy, const Tensor& dx,
                           GradMode mode);
  void add(const Tensor& a, const Tensor& b, const Tensor& y);            // y = a + b
  void copy_gradient(const Tensor& dy, const Tensor& dx, GradMode mode);  // dx = or += dy
  // y[n,h,w,c] = x[n,h,w,c] * s[n,0,0,c]; s: (N, 1, 1, C).
  void channel_scale_forward(const Tensor& x, const Tensor& s, const Tensor& y);
  void channel_scale_backward(const Tensor& dy, const Tensor& x, const Tensor& s, const Tensor& dx,
                              GradMode dx_mode, const Tensor& ds, GradMode ds_mode);

  // --- channels --------------------------------------------------------------------------------
  // y = [a | b] along the last axis; and the part of y from `channel` on, back into dx.
  void concat_forward(const Tensor& a, const Tensor& b, const Tensor& y);
  void concat_backward(const Tensor& dy, std::int64_t channel, const Tensor& dx, GradMode mode);

  // --- pooling ---------------------------------------------------------------------------------
  // argmax: i32, like y: the input's row h * W + w of each maximum (the first in reading order).
  void max_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y, const Tensor& argmax);
  void max_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& argmax, const Tensor& dx,
                         GradMode mode);
  void average_pool_forward(const Pool2d& pool, const Tensor& x, const Tensor& y);
  void average_pool_backward(const Pool2d& pool, const Tensor& dy, const Tensor& dx, GradMode mode);
  // (N, H, W, C) -> (N, 1, 1, C), the mean.
  void global_pool_forward(const Tensor& x, const Tensor& y);
  void global_pool_backward(const Tensor& dy, const Tensor& dx, GradMode mode);

  // --- loss ------------------------------------------------------------------------------------
  // loss (1) = mean over the batch of cross-entropy with smoothed targets
  //   t = (1 - smoothing) onehot + smoothing / classes; logits (N, classes), labels i32 (N).
  void cross_entropy_forward(const Tensor& logits, const Tensor& labels, float smoothing, const Tensor& loss);
  // dlogits = dloss * (softmax(logits) - t) / N; dloss: (1).
  void cross_entropy_backward(const Tensor& dloss, const Tensor& logits, const Tensor& labels,
                              float smoothing, const Tensor& dlogits, GradMode mode);
  // score (2) += {sum of cross-entropy without smoothing, number of hits}. A hit: the label's logit
  // is the first maximum of its row. The counters stay on the device until a search reads them.
  void count_hits(const Tensor& logits, const Tensor& labels, const Tensor& score);

  // --- the HyperNetwork's operators ------------------------------------------------------------
  // y[i] = sum_t table_t[index[i,t]]; up to three tables (V_t, D), index i32 (M, tables), y (M, D).
  void embedding_sum(const Tensor* tables, int count, const Tensor& index, const Tensor& y);
  // dtable[v] = sum over i with index[i,column] == v of dy[i], in ascending i.
  void embedding_backward(const Tensor& dy, const Tensor& index, int column, const Tensor& dtable,
                          GradMode mode);
  // Cuts pieces out of tiles (TilePiece). pieces: i32 (n, 12); the caller vouches that all indices
  // lie inside source and out and that no two pieces share an element of either.
  void assemble(const Tensor& source, const Tensor& pieces, const Tensor& out);
  // dsource[...] += scale * dout[...]; with overwrite, elements that no piece uses become 0.
  void assemble_backward(const Tensor& dout, const Tensor& pieces, const Tensor& dsource, GradMode mode);

  // --- flat buffers ----------------------------------------------------------------------------
  // sum (1) = sum of x^2.
  void sum_of_squares(const Tensor& x, const Tensor& sum);
  // g = gradient * min(1, max_norm / sqrt(norm2)); v = momentum v + g;
  // p -= lr (nesterov ? g + momentum v : v) + lr weight_decay p (decayed part). norm2: (1).
  void sgd_step(const SgdStep& step, const Tensor& gradient, const Tensor& norm2, const Tensor& velocity,
                const Tensor& parameter);
  // AdamW (Loshchilov & Hutter 2019), decay decoupled and times lr; norm2 and clipping as above.
  void adamw_step(const AdamWStep& step, const Tensor& gradient, const Tensor& norm2, const Tensor& first,
                  const Tensor& second, const Tensor& parameter);
  // target += t (source - target). Running statistics and averages of weights.
  void lerp(const Tensor& source, float t, const Tensor& target);

  // --- data ------------------------------------------------------------------------------------
  // Batch row b is stored image index[b]: images u8 (N, H, W, C <= 4), labels i32 (N), index i32 (B),
  // x (B, H, W, C), y i32 (B). Normalised first, then shifted and cut out with zeros (so zero is the
  // mean colour), all with random numbers
  //   r = Philox({0, augment, epoch lo, epoch hi} with counter word 0 = index[b], key = seed):
  //   flip if r0 & 1; shift dy = (r1 >> 16) % (2 shift + 1) - shift, dx = (r1 & 0xffff) % .. - shift;
  //   cutout centre row (r2 >> 16) % H, column (r2 & 0xffff) % W, rows centre - side/2 .. + side-1.
  // Flip first, then shift (output (i,j) reads input (i+dy, j+dx)), then cutout in output positions.
  void load_batch(const Tensor& images, const Tensor& labels, const Tensor& index, const PixelNorm& norm,
                  const Augmentation& augmentation, const AugmentKey& key, const Tensor& x, const Tensor& y);

 private:
  // gemm and batched_gemm, on tensors of rank 3 whose shapes have been checked.
  void multiply(const char* where, const Gemm& spec, const Tensor& a, const Tensor& b, const Tensor& bias,
                Activation act, const Tensor& c, GradMode mode);

  // Bytes of workspace that the private method of that pass wants; it is given exactly these, 256-
  // byte aligned (nullptr for 0).
  virtual std::size_t conv2d_workspace(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                       GradMode mode) = 0;
  // c: (B, M, N).
  virtual std::size_t gemm_workspace(const Gemm& spec, const Shape& c, std::int64_t k, GradMode mode) = 0;
  // For reductions over the rows of (rows, channels): batch norm, column_sum, sum_of_squares, loss,
  // channel_scale_backward.
  virtual std::size_t reduction_workspace(std::int64_t rows, std::int64_t channels) = 0;
  // Nothing: the device does not do the two in one for these shapes; they are called one after the other.
  virtual std::optional<std::size_t> conv2d_batch_norm_workspace(const Conv2d& conv, const Shape& x,
                                                                 const Shape& w);
  virtual void do_conv2d_batch_norm_forward(const Conv2d&, const Tensor& x, const Tensor& w,
                                            const Tensor& scale, const Tensor& shift, float epsilon,
                                            Activation, const Tensor& y, const Tensor& z, const Tensor& mean,
                                            const Tensor& var, void* workspace);

#define ADWP_BACKEND_METHOD(name, ...) virtual void do_##name(__VA_ARGS__) = 0
  // Of gemm and batched_gemm: a, b and c have three axes, the first is the batch.
  ADWP_BACKEND_METHOD(gemm, const Gemm&, const Tensor& a, const Tensor& b, const Tensor& bias, Activation,
                      const Tensor& c, GradMode, void* workspace);
  ADWP_BACKEND_METHOD(column_sum, const Tensor& x, const Tensor& sum, GradMode, void* workspace);
  ADWP_BACKEND_METHOD(conv2d_forward, const Conv2d&, const Tensor& x, const Tensor& w, const Tensor& y,
                      void* workspace);
  ADWP_BACKEND_METHOD(conv2d_dgrad, const Conv2d&, const Tensor& dy, const Tensor& w, const Tensor& dx,
                      GradMode, void* workspace);
  ADWP_BACKEND_METHOD(conv2d_wgrad, const Conv2d&, const Tensor& x, const Tensor& dy, const Tensor& dw,
                      GradMode, void* workspace);
  ADWP_BACKEND_METHOD(batch_norm_forward, const Tensor& x, const Tensor& scale, const Tensor& shift,
                      float epsilon, Activation, const Tensor& y, const Tensor& mean, const Tensor& var,
                      void* workspace);
  ADWP_BACKEND_METHOD(batch_norm_backward, const Tensor& dy, const Tensor& x, const Tensor& mean,
                      const Tensor& var, const Tensor& scale, const Tensor& shift, float epsilon, Activation,
                      const Tensor& dx, GradMode, const Tensor& dscale, GradMode, const Tensor& dshift,
                      GradMode, void* workspace);
  ADWP_BACKEND_METHOD(batch_norm_inference, const Tensor& x, const Tensor& mean, const Tensor& var,
                      const Tensor& scale, const Tensor& shift, float epsilon, Activation, const Tensor& y);
  ADWP_BACKEND_METHOD(layer_norm_forward, const Tensor& x, float epsilon, Activation, const Tensor& y,
                      const Tensor& mean, const Tensor& inverse);
  ADWP_BACKEND_METHOD(layer_norm_backward, const Tensor& dy, const Tensor& x, const Tensor& mean,
                      const Tensor& inverse, Activation, const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(activation_forward, Activation, const Tensor& x, const Tensor& y);
  ADWP_BACKEND_METHOD(activation_backward, Activation, const Tensor& x, const Tensor& dy, const Tensor& dx,
                      GradMode);
  ADWP_BACKEND_METHOD(add, const Tensor& a, const Tensor& b, const Tensor& y);
  ADWP_BACKEND_METHOD(copy_gradient, const Tensor& dy, const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(channel_scale_forward, const Tensor& x, const Tensor& s, const Tensor& y);
  ADWP_BACKEND_METHOD(channel_scale_backward, const Tensor& dy, const Tensor& x, const Tensor& s,
                      const Tensor& dx, GradMode, const Tensor& ds, GradMode, void* workspace);
  ADWP_BACKEND_METHOD(concat_forward, const Tensor& a, const Tensor& b, const Tensor& y);
  ADWP_BACKEND_METHOD(concat_backward, const Tensor& dy, std::int64_t channel, const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(max_pool_forward, const Pool2d&, const Tensor& x, const Tensor& y,
                      const Tensor& argmax);
  ADWP_BACKEND_METHOD(max_pool_backward, const Pool2d&, const Tensor& dy, const Tensor& argmax,
                      const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(average_pool_forward, const Pool2d&, const Tensor& x, const Tensor& y);
  ADWP_BACKEND_METHOD(average_pool_backward, const Pool2d&, const Tensor& dy, const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(global_pool_forward, const Tensor& x, const Tensor& y);
  ADWP_BACKEND_METHOD(global_pool_backward, const Tensor& dy, const Tensor& dx, GradMode);
  ADWP_BACKEND_METHOD(cross_entropy_forward, const Tensor& logits, const Tensor& labels, float smoothing,
                      const Tensor& loss, void* workspace);
  ADWP_BACKEND_METHOD(cross_entropy_backward, const Tensor& dloss, const Tensor& logits, const Tensor& labels,
                      float smoothing, const Tensor& dlogits, GradMode);
  ADWP_BACKEND_METHOD(count_hits, const Tensor& logits, const Tensor& labels, const Tensor& score,
                      void* workspace);
  ADWP_BACKEND_METHOD(embedding_sum, const Tensor* tables, int count, const Tensor& index, const Tensor& y);
  ADWP_BACKEND_METHOD(embedding_backward, const Tensor& dy, const Tensor& index, int column,
                      const Tensor& dtable, GradMode);
  ADWP_BACKEND_METHOD(assemble, const Tensor& source, const Tensor& pieces, const Tensor& out);
  ADWP_BACKEND_METHOD(assemble_backward, const Tensor& dout, const Tensor& pieces,
                      const Tensor& dsource);  // accumulates; the caller has zeroed
  ADWP_BACKEND_METHOD(sum_of_squares, const Tensor& x, const Tensor& sum, void* workspace);
  ADWP_BACKEND_METHOD(sgd_step, const SgdStep&, const Tensor& gradient, const Tensor& norm2,
                      const Tensor& velocity, const Tensor& parameter);
  ADWP_BACKEND_METHOD(adamw_step, const AdamWStep&, const Tensor& gradient, const Tensor& norm2,
                      const Tensor& first, const Tensor& second, const Tensor& parameter);
  ADWP_BACKEND_METHOD(lerp, const Tensor& source, float t, const Tensor& target);
  ADWP_BACKEND_METHOD(load_batch, const Tensor& images, const Tensor& labels, const Tensor& index,
                      const PixelNorm&, const Augmentation&, const AugmentKey&, const Tensor& x,
                      const Tensor& y);
#undef ADWP_BACKEND_METHOD

  Profile* profile_ = nullptr;
};

}  // namespace adwp
