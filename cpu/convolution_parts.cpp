// Runs oneDNN's convolutions on parts of a batch, and the backend's convolution methods.
#include "cpu/convolution_parts.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"

namespace adwp::cpu {

using dnnl::memory;

namespace {

constexpr std::int64_t cache_bytes = 768 << 10;
constexpr std::int64_t least_macs = 1'000'000;  // of a part, which costs a call

std::byte* at(void* workspace, std::size_t offset) { return static_cast<std::byte*>(workspace) + offset; }

std::int64_t image(const Shape& shape) { return shape.elements() / shape[0]; }

// Reads a part from its first byte to its last, which fetches it into the cache as fast as memory goes.
// Kernels that hold a few channels of all pixels would fetch it line by line out of order: gradients of
// kernels and depthwise passes at 32 x 32 pixels take 1.2 to 2.4 times as long without.
void touch(const float* begin, std::int64_t count) {
  constexpr std::int64_t line = 64 / sizeof(float);
  const volatile float* values = begin;
  for (std::int64_t i = 0; i < count; i += line) static_cast<void>(values[i]);
}

}  // namespace

std::int64_t images_in_cache(std::int64_t batch, std::int64_t bytes, std::int64_t parts) {
  return std::clamp<std::int64_t>(cache_bytes / bytes, 1, std::max<std::int64_t>(batch / parts, 1));
}

ConvolutionParts::ConvolutionParts(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                   ConvolutionCache& cache)
    : pass_(pass), conv_(conv), x_(x), y_(conv2d_output(conv, x, w)), w_(w), cache_(cache) {
  std::optional<OneThread> one;  // for which primitives are made
  if (x[0] > 1 || pass == ConvPass::wgrad) one.emplace();
  cut();
  for (Part& part : parts_) {
    part.convolution = &cache.get(pass, conv, Shape{part.images, x[1], x[2], x[3]}, w);
    scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned(part.convolution->scratchpad.get_size()));
    inside_x_bytes_ = std::max(inside_x_bytes_, aligned(part.convolution->x.buffer_bytes()));
    inside_y_bytes_ = std::max(inside_y_bytes_, aligned(part.convolution->y.buffer_bytes()));
    packed_bytes_ = std::max(packed_bytes_, aligned(part.convolution->packed.get_size()));
  }
  one.reset();
  own_bytes_ = scratchpad_bytes_ + inside_x_bytes_ + inside_y_bytes_;
  place();
}

// The batch into groups, and those into parts of as many images as fit in cache; alike for dgrad and wgrad.
void ConvolutionParts::cut() {
  const std::int64_t batch = x_[0];
  const std::int64_t macs = y_.elements() / batch * (w_.elements() / w_[0]);  // of an image
  const std::int64_t bytes = (x_.elements() + y_.elements()) / batch * sizeof(float);
  // A part's gradient of the kernel is added to its group's: no more parts than groups where they fit.
  std::int64_t images =
      pass_ == ConvPass::forward ? images_in_cache(batch, bytes) : images_in_cache(batch, bytes, most_groups);
  images = std::min(batch, std::max(images, least_macs / std::max<std::int64_t>(macs, 1)));
  // What larger products and shared transforms save is more than what is lost where not all fits in cache.
  const std::int64_t larger = std::max(images, std::min(images_for_winograd(x_), batch / most_groups));
  const auto by_winograd = [&](ConvPass pass) {
    return cache_.by_winograd(pass, conv_, Shape{larger, x_[1], x_[2], x_[3]}, w_);
  };
  if (pass_ == ConvPass::forward ? by_winograd(pass_)
                                 : by_winograd(ConvPass::dgrad) || by_winograd(ConvPass::wgrad)) {
    images = larger;
  }
  const std::int64_t groups = std::min(most_groups, (batch + images - 1) / images);
  for (std::int64_t group = 0; group < groups; ++group) {
    groups_.push_back(parts_.size());
    const std::int64_t end = batch * (group + 1) / groups;
    for (std::int64_t first = batch * group / groups; first < end; first += images) {
      parts_.push_back({.first = first, .images = std::min(images, end - first)});
    }
  }
  groups_.push_back(parts_.size());
}

// The workspace: forward and dgrad, the kernel in each layout that is wanted; wgrad, a sum for each group.
// Behind them what each thread has of its own: a scratchpad with a part's operands as the primitive wants
// them, and for wgrad one part's gradient in two layouts.
void ConvolutionParts::place() {
  std::int64_t at_once = std::ssize(parts_);
  if (pass_ == ConvPass::wgrad) {
    at_once = std::ssize(groups_) - 1;
    own_bytes_ += 2 * packed_bytes_;
    bytes_ = at_once * packed_bytes_;
  } else {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto alike = std::find_if(parts_.begin(), parts_.begin() + i, [&](const Part& other) {
        return other.convolution->packed == parts_[i].convolution->packed;
      });
      const bool found = alike != parts_.begin() + i;
      parts_[i].packed = found ? alike->packed : bytes_;
      if (!found) bytes_ += packed_bytes_;
    }
  }
  own_ = bytes_;
  bytes_ += std::min<std::int64_t>(at_once, threads_with_room()) * own_bytes_;
}

void ConvolutionParts::execute(const Part& part, float* x, float* y, void* w, std::byte* scratchpad) const {
  const Convolution& c = *part.convolution;
  const dnnl::stream& stream = cache_.stream();
  const auto operand = [&](const memory::desc& d, void* address) {
    return memory(d, cache_.engine(), address);
  };
  const bool forward = pass_ == ConvPass::forward, dgrad = pass_ == ConvPass::dgrad,
             wgrad = pass_ == ConvPass::wgrad;
  if (!dgrad && !c.x.differs()) touch(x, part.images * image(x_));
  if ((wgrad || (conv_.depthwise && !forward)) && !c.y.differs()) touch(y, part.images * image(y_));
  std::byte *x_buffer = scratchpad + scratchpad_bytes_, *y_buffer = x_buffer + inside_x_bytes_;
  const memory images = dgrad ? c.x.writes(stream, x, x_buffer) : c.x.reads(stream, x, x_buffer);
  const memory results = forward ? c.y.writes(stream, y, y_buffer) : c.y.reads(stream, y, y_buffer);
  const bool exchanged = dgrad && c.winograd;
  const int to_x = exchanged ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC;
  const int from_y = exchanged ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST;
  c.primitive.execute(stream, {{dgrad ? to_x : DNNL_ARG_SRC, images},
                               {wgrad ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, operand(c.packed, w)},
                               {forward ? DNNL_ARG_DST : from_y, results},
                               {DNNL_ARG_SCRATCHPAD, operand(c.scratchpad, scratchpad)}});
  if (dgrad) c.x.written(stream, x, x_buffer);
  if (forward) c.y.written(stream, y, y_buffer);
}

void ConvolutionParts::pack(void* w, void* workspace) const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Convolution& c = *parts_[i].convolution;
    const bool packed = std::any_of(parts_.begin(), parts_.begin() + i,
                                    [&](const Part& other) { return other.packed == parts_[i].packed; });
    if (packed || c.packed == c.krsc) continue;
    void* to = at(workspace, parts_[i].packed);
    if (c.winograd) {
      pack_for_winograd(static_cast<float*>(w), w_, *c.winograd, c.packed, static_cast<float*>(to));
    } else {
      cache_.reorder(c.krsc, w, c.packed, to);
    }
  }
}

void ConvolutionParts::compute_part(std::int64_t part, float* x_part, float* y_part, void* w,
                                    void* workspace) const {
  const Convolution& c = *parts_[part].convolution;
  std::byte* own = at(workspace, own_ + omp_get_thread_num() * own_bytes_);
  execute(parts_[part], x_part, y_part, c.packed != c.krsc ? at(workspace, parts_[part].packed) : w, own);
}

std::int64_t ConvolutionParts::most_images() const {
  return std::ranges::max_element(parts_, {}, &Part::images)->images;
}

void ConvolutionParts::compute(void* x, void* y, void* w, void* workspace, const Done& done) const {
  pack(w, workspace);
  const auto compute_one = [&](std::int64_t index) {
    const Part& part = parts_[index];
    compute_part(index, static_cast<float*>(x) + part.first * image(x_),
                 static_cast<float*>(y) + part.first * image(y_), w, workspace);
    if (done) done(index, part.first, part.images);
  };
  if (x_[0] == 1) return compute_one(0);
  on_parts(count(), compute_one);
}

void ConvolutionParts::compute_wgrad(void* x, void* y, void* dw, void* workspace) const {
  compute_wgrad(
      x,
      [&](std::int64_t, std::int64_t first, std::int64_t) {
        return static_cast<float*>(y) + first * image(y_);
      },
      dw, workspace);
}

void ConvolutionParts::compute_wgrad(void* x, const Gives& gives, void* dw, void* workspace,
                                     const Done& done) const {
  const Convolution& first = *parts_.front().convolution;
  const auto sum_of = [&](std::int64_t group) {
    return reinterpret_cast<float*>(at(workspace, group * packed_bytes_));
  };
  const std::int64_t n = first.packed.get_size() / sizeof(float), groups = std::ssize(groups_) - 1;
  const auto compute_group = [&](std::int64_t group) {
    std::byte* own = at(workspace, own_ + omp_get_thread_num() * own_bytes_);
    for (std::size_t i = groups_[group]; i < groups_[group + 1]; ++i) {
      const bool starts = i == groups_[group];
      const Part& part = parts_[i];
      const Convolution& c = *part.convolution;
      std::byte *found = own, *as_first = own + packed_bytes_, *scratchpad = own + 2 * packed_bytes_;
      if (starts) as_first = at(workspace, group * packed_bytes_);
      if (c.packed == first.packed) found = as_first;
      float* y_part = gives(i, part.first, part.images);
      execute(part, static_cast<float*>(x) + part.first * image(x_), y_part, found, scratchpad);
      if (found != as_first) cache_.reorder(c.packed, found, first.packed, as_first);
      if (!starts) {
        const float* more = reinterpret_cast<float*>(as_first);
        float* sum = sum_of(group);
        for (std::int64_t e = 0; e < n; ++e) sum[e] += more[e];
      }
      if (done) done(i, part.first, part.images);
    }
  };
  on_parts(groups, compute_group);
  for (std::int64_t group = 1; group < groups; ++group) add_to(sum_of(0), sum_of(group), n);
  cache_.reorder(first.packed, sum_of(0), first.krsc, dw);
}

std::size_t CpuBackend::workspace(const ConvForward& op) {
  threads_.watch();
  if (op.x.elements() == 0 || op.w.elements() == 0) return 0;
  return ConvolutionParts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_).bytes();
}

std::size_t CpuBackend::workspace(const ConvDgrad& op) {
  const Tensor& dx = op.dx.tensor;
  if (dx.elements() == 0 || op.w.elements() == 0) return 0;
  const ConvolutionParts parts(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), *convolutions_);
  return parts.bytes() + (op.dx.adds() ? dx.bytes() : 0);
}

std::size_t CpuBackend::workspace(const ConvWgrad& op) {
  const Tensor& dw = op.dw.tensor;
  const Shape& x = op.x.shape();
  if (op.x.elements() == 0 || dw.elements() == 0) return 0;
  if (!wgrad_by_onednn(op.conv, x, *convolutions_)) return depthwise_wgrad_workspace(op.conv, x);
  const ConvolutionParts parts(ConvPass::wgrad, op.conv, x, dw.shape(), *convolutions_);
  return parts.bytes() + (op.dw.adds() ? dw.bytes() : 0);
}

void CpuBackend::compute(const ConvForward& op, void* workspace) {
  const ConvolutionParts parts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_);
  parts.compute(op.x.address(), op.y.address(), op.w.address(), workspace);
}

void CpuBackend::compute(const ConvDgrad& op, void* workspace) {
  const Tensor& dx = op.dx.tensor;
  const ConvolutionParts parts(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), *convolutions_);
  if (!op.dx.adds()) return parts.compute(dx.address(), op.dy.address(), op.w.address(), workspace);
  // Each part is added while it is in cache.
  auto* computed = reinterpret_cast<float*>(at(workspace, parts.bytes()));
  const std::int64_t size = image(dx.shape());
  parts.compute(computed, op.dy.address(), op.w.address(), workspace,
                [&](std::int64_t, std::int64_t first, std::int64_t images) {
                  add_to(dx.data<float>() + first * size, computed + first * size, images * size);
                });
}

void CpuBackend::compute(const ConvWgrad& op, void* workspace) {
  if (!wgrad_by_onednn(op.conv, op.x.shape(), *convolutions_)) return depthwise_wgrad(op, workspace);
  const Tensor& dw = op.dw.tensor;
  const ConvolutionParts parts(ConvPass::wgrad, op.conv, op.x.shape(), dw.shape(), *convolutions_);
  void* result = op.dw.adds() ? at(workspace, parts.bytes()) : dw.address();
  parts.compute_wgrad(op.x.address(), op.dy.address(), result, workspace);
  if (op.dw.adds()) add_to(dw.data<float>(), static_cast<const float*>(result), dw.elements());
}

}  // namespace adwp::cpu
