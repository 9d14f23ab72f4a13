// How a batch is cut for oneDNN's convolutions.
#pragma once

#include <functional>

#include "cpu/convolution.h"

namespace adwp::cpu {

inline std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

// Of a batch's parts, for threads to share. Where parts are made larger for Winograd's algorithm, there are
// at least as many parts, too, if there are as many images.
inline constexpr std::int64_t most_groups = 8;

// Images that lie in a core's second-level cache together, `bytes` each: oneDNN is at the machine's peak
// there, at a third of it or less where every operand comes from memory. Not the machine's own size: what is
// computed must not change from one machine to the next of a kind. A batch is cut into at least `parts`,
// where it has as many images, for threads to share.
std::int64_t images_in_cache(std::int64_t batch, std::int64_t bytes, std::int64_t parts = 16);

// Each part is one thread's. oneDNN by itself would cut some passes by the number of threads, channels and
// all; here bits do not depend on it. A single image is left to oneDNN and all threads: its time is its
// latency, and its last bits may depend on their number.
//
// Forward and dgrad compute each image by itself. The gradient of the kernel sums over images: its parts come
// in groups, a group's parts are summed one after the other by one thread, then the groups in order. The cuts
// depend on the shapes alone.
class ConvolutionParts {
 public:
  ConvolutionParts(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                   ConvolutionCache& cache);

  std::size_t bytes() const { return bytes_; }
  std::int64_t count() const { return std::int64_t(parts_.size()); }

  using Done = std::function<void(std::int64_t part, std::int64_t first, std::int64_t images)>;
  // Forward: y from x; dgrad: x from y. w: KRSC. Where given, done is called by the thread that has computed
  // a part.
  void compute(void* x, void* y, void* w, void* workspace, const Done& done = {}) const;
  // dw (KRSC) from x and the gradient of y.
  void compute_wgrad(void* x, void* y, void* dw, void* workspace) const;
  // The same, where a gradient need not exist as a whole: gives that of a part, called by the thread that
  // computes it, before; done, behind it, still finds it there. Parts are cut alike for dgrad.
  using Gives = std::function<float*(std::int64_t part, std::int64_t first, std::int64_t images)>;
  void compute_wgrad(void* x, const Gives& gives, void* dw, void* workspace, const Done& done = {}) const;

  // For whoever runs parts by himself, of dgrad: brings the kernel into its layouts, then computes a part
  // from the part's gradient.
  void pack(void* w, void* workspace) const;
  void compute_part(std::int64_t part, float* x_part, float* y_part, void* w, void* workspace) const;
  std::int64_t most_images() const;  // of a part

 private:
  struct Part {
    std::int64_t first = 0, images = 0;
    const Convolution* convolution = nullptr;
    std::size_t packed = 0;  // in the workspace; forward and dgrad
  };

  void cut();
  void place();
  void execute(const Part& part, float* x, float* y, void* w, std::byte* scratchpad) const;

  ConvPass pass_;
  Conv2d conv_;
  Shape x_, y_, w_;
  ConvolutionCache& cache_;
  std::vector<Part> parts_;
  std::vector<std::size_t> groups_;  // the first part of each, and the end
  std::size_t scratchpad_bytes_ = 0, inside_x_bytes_ = 0, inside_y_bytes_ = 0;
  std::size_t bytes_ = 0, packed_bytes_ = 0, sums_ = 0, own_ = 0, own_bytes_ = 0;  // own: each thread's
};

}  // namespace adwp::cpu
