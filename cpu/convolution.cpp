// Convolution: dense through oneDNN, whose primitives are made once for each shape; depthwise.cpp has the
// rest.
#include "cpu/convolution.h"

#include <cstring>
#include <optional>
#include <vector>

#include "cpu/cpu_class.h"
#include "cpu/loops.h"
#include "framework/core/error.h"

namespace adwp::cpu {

namespace {

using dnnl::memory;

constexpr int primitive_cache_capacity = 32768;  // a search meets thousands of shapes

std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

template <typename Primitive>
void take(Convolution& result, const typename Primitive::primitive_desc& description,
          const memory::desc& packed) {
  result.primitive = Primitive(description);
  result.packed = packed;
  result.scratchpad = description.scratchpad_desc();
}

// The operands' memories, and where things lie in the workspace.
void lay_out(Convolution& result, const memory::desc& x, const memory::desc& y, const memory::desc& krsc,
             const dnnl::engine& engine) {
  result.repack = result.packed != krsc;
  result.x = memory(x, engine, nullptr);
  result.y = memory(y, engine, nullptr);
  result.w = memory(krsc, engine, nullptr);
  result.w_packed = memory(result.packed, engine, nullptr);
  result.pad = memory(result.scratchpad, engine, nullptr);
  if (result.repack) {
    result.pack = dnnl::reorder(result.w, result.w_packed);
    result.unpack = dnnl::reorder(result.w_packed, result.w);
  }
}

}  // namespace

ConvolutionCache::ConvolutionCache() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  dnnl::set_primitive_cache_capacity(primitive_cache_capacity);
}

std::size_t ConvolutionCache::Hash::operator()(const Key& key) const {
  std::uint64_t hash = 0xCBF29CE484222325u;
  auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  };
  mix(int(key.pass));
  mix(key.part);
  mix(key.threads);
  mix(key.conv.kernel * 64 + key.conv.stride * 8 + key.conv.padding);
  for (int axis = 0; axis < 4; ++axis) {
    mix(key.x[axis]);
    mix(key.w[axis]);
  }
  return hash;
}

Convolution& ConvolutionCache::get(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w,
                                   std::int32_t part) {
  const Key key{pass, conv, x, w, part, omp_get_max_threads()};
  auto found = entries_.find(key);
  if (found == entries_.end()) found = entries_.emplace(key, make(key)).first;
  return found->second;
}

ConvolutionDescription::ConvolutionDescription(const Conv2d& conv, const Shape& in, const Shape& w)
    : strides{conv.stride, conv.stride}, low{conv.padding, conv.padding} {
  using tag = memory::format_tag;
  const Shape out = conv2d_output(conv, in, w);
  // oneDNN names dimensions N, C, H, W and O, I, H, W whatever the layout; G, O, I, H, W where there are groups.
  const auto image = [](const Shape& s) {
    return memory::desc({s[0], s[3], s[1], s[2]}, memory::data_type::f32, tag::nhwc);
  };
  x = image(in);
  y = image(out);
  const memory::dims kernel = conv.depthwise ? memory::dims{w[0], 1, 1, w[1], w[2]}
                                             : memory::dims{w[0], w[3], w[1], w[2]};
  krsc = memory::desc(kernel, memory::data_type::f32, conv.depthwise ? tag::goihw : tag::ohwi);
  any = memory::desc(kernel, memory::data_type::f32, tag::any);
  // Behind the last window there may be fewer padded pixels, or pixels that no window reads.
  const auto behind = [&](std::int64_t size, std::int64_t windows) {
    return (windows - 1) * conv.stride + conv.kernel - size - conv.padding;
  };
  high = {behind(in[1], out[1]), behind(in[2], out[2])};
}

Convolution ConvolutionCache::make(const Key& key) {
  const ConvolutionDescription d(key.conv, key.x, key.w);
  const auto &[x, out, krsc, any, strides, low, high] = d;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto direct = dnnl::algorithm::convolution_direct;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, direct, x, any, out, strides, low, high}, attributes, engine_);

  Convolution result;
  if (key.pass == ConvPass::forward) {
    take<dnnl::convolution_forward>(result, forward, forward.weights_desc());
  } else if (key.pass == ConvPass::dgrad) {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward({direct, x, any, out, strides, low, high}, attributes, engine_,
                                            forward);
    take<Backward>(result, backward, backward.weights_desc());
  } else {
    using Backward = dnnl::convolution_backward_weights;
    const Backward::primitive_desc backward({direct, x, any, out, strides, low, high}, attributes, engine_,
                                            forward);
    take<Backward>(result, backward, backward.diff_weights_desc());
  }
  lay_out(result, x, out, krsc, engine_);
  return result;
}

namespace {

std::byte* at(void* workspace, std::size_t offset) { return static_cast<std::byte*>(workspace) + offset; }

void add_to(const Tensor& target, const void* computed) {
  float* to = target.data<float>();
  const auto* from = static_cast<const float*>(computed);
  parallel_for(target.elements(), 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

// Forward and dgrad compute each image by itself. Batches are cut into parts, each one thread's: oneDNN cuts
// some of these by the number of threads too, channels and all. A single image is left to oneDNN and all
// threads: its time is its latency, and its last bits may depend on their number.
class ImageParts {
 public:
  ImageParts(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, ConvolutionCache& cache)
      : cache_(cache), alone_(x[0] == 1) {
    const Shape y = conv2d_output(conv, x, w);
    const std::int64_t macs = y.elements() * (w.elements() / w[0]);
    const std::int64_t count = std::min(x[0], std::clamp<std::int64_t>(macs / least_macs, 1, most_parts));
    std::optional<OneThread> one;  // for which primitives are made
    if (!alone_) one.emplace();
    for (std::int64_t part = 0; part < count; ++part) {
      Part& p = parts_.emplace_back();
      p.first = x[0] * part / count;
      const Shape images{x[0] * (part + 1) / count - p.first, x[1], x[2], x[3]};
      p.primitive = &cache.get(pass, conv, images, w, part);
      p.packs = p.primitive->repack && (part == 0 || p.primitive->packed != parts_.front().primitive->packed);
      p.packed = p.packs ? bytes_ : parts_.front().packed;
      if (p.packs) bytes_ += aligned(p.primitive->packed.get_size());
      p.scratchpad = bytes_;
      bytes_ += aligned(p.primitive->scratchpad.get_size());
    }
  }

  std::size_t bytes() const { return bytes_; }

  // from: images that are read, to: those that are written; the forward pass reads x, dgrad y.
  void compute(ConvPass pass, const Tensor& from, const Tensor& w, const Tensor& like, void* to,
               void* workspace) const {
    for (const Part& part : parts_) {
      Convolution& c = *part.primitive;
      c.w.set_data_handle(w.address());
      c.w_packed.set_data_handle(c.repack ? at(workspace, part.packed) : w.address());
      if (part.packs) c.pack.execute(cache_.stream(), c.w, c.w_packed);
    }
    const auto compute_part = [&](std::int64_t index) {
      const Part& part = parts_[index];
      Convolution& c = *part.primitive;
      const auto images = [&](void* all, const Tensor& shaped) {
        return static_cast<float*>(all) + part.first * (shaped.elements() / shaped.shape()[0]);
      };
      const bool forward = pass == ConvPass::forward;
      dnnl::memory &read = forward ? c.x : c.y, &written = forward ? c.y : c.x;
      read.set_data_handle(images(from.address(), from));
      written.set_data_handle(images(to, like));
      c.pad.set_data_handle(at(workspace, part.scratchpad));
      c.primitive.execute(cache_.stream(), {{forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, read},
                                            {DNNL_ARG_WEIGHTS, c.w_packed},
                                            {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, written},
                                            {DNNL_ARG_SCRATCHPAD, c.pad}});
    };
    if (alone_) return compute_part(0);
    on_parts(std::ssize(parts_), compute_part);
  }

 private:
  static constexpr std::int64_t most_parts = 16, least_macs = 2'000'000;  // of a part, which costs a call

  struct Part {
    std::int64_t first = 0;  // image
    Convolution* primitive = nullptr;
    bool packs = false;                      // the kernel, for itself and for those that want it alike
    std::size_t packed = 0, scratchpad = 0;  // in the workspace
  };

  ConvolutionCache& cache_;
  bool alone_;
  std::vector<Part> parts_;
  std::size_t bytes_ = 0;
};

// The gradient of the kernel sums over images. oneDNN would cut the batch by the number of threads; here it
// is cut into parts whose number depends on the batch alone, each part is one thread's, and their sum has a
// fixed order.
class WgradParts {
 public:
  WgradParts(const ConvWgrad& op, ConvolutionCache& cache) : op_(op), cache_(cache) {
    const Shape& x = op.x.shape();
    const OneThread alone;  // for which primitives are made
    const std::int64_t macs = op.dy.elements() * op.dw.tensor.elements() / op.dw.tensor.shape()[0];
    const std::int64_t count = std::min(x[0], std::clamp<std::int64_t>(macs / least_macs, 1, most_parts));
    for (std::int64_t part = 0; part < count; ++part) {
      Part& p = parts_.emplace_back();
      p.first = x[0] * part / count;
      const Shape images{x[0] * (part + 1) / count - p.first, x[1], x[2], x[3]};
      p.primitive = &cache.get(ConvPass::wgrad, op.conv, images, op.dw.tensor.shape(), part);
      p.packed = bytes_;
      p.scratchpad = p.packed + aligned(p.primitive->packed.get_size());
      bytes_ = p.scratchpad + aligned(p.primitive->scratchpad.get_size());
    }
    result_ = bytes_;
    if (op.dw.adds()) bytes_ += op.dw.tensor.elements() * sizeof(float);
  }

  std::size_t bytes() const { return bytes_; }

  void compute(void* workspace) {
    const Tensor& dw = op_.dw.tensor;
    on_parts(std::ssize(parts_), [&](std::int64_t part) { compute_part(parts_[part], workspace); });
    add_parts(workspace);
    Convolution& c = *parts_.front().primitive;
    void* packed = at(workspace, parts_.front().packed);
    void* result = !op_.dw.adds() ? dw.address() : c.repack ? at(workspace, result_) : packed;
    if (c.repack) {
      c.w.set_data_handle(result);
      c.w_packed.set_data_handle(packed);
      c.unpack.execute(cache_.stream(), c.w_packed, c.w);
    } else if (result != packed) {
      std::memcpy(result, packed, dw.elements() * sizeof(float));
    }
    if (op_.dw.adds()) add_to(dw, result);
  }

 private:
  static constexpr std::int64_t most_parts = 8,
                                least_macs = 4'000'000;  // of a part, which costs a call and a sum

  struct Part {
    std::int64_t first = 0;  // image
    Convolution* primitive = nullptr;
    std::size_t packed = 0, scratchpad = 0;  // in the workspace
  };

  void compute_part(const Part& part, void* workspace) const {
    const auto from = [&](const Tensor& images) {
      const std::int64_t image = images.elements() / images.shape()[0];
      return static_cast<void*>(images.data<float>() + part.first * image);
    };
    Convolution& c = *part.primitive;
    c.x.set_data_handle(from(op_.x));
    c.y.set_data_handle(from(op_.dy));
    c.w_packed.set_data_handle(at(workspace, part.packed));
    c.pad.set_data_handle(at(workspace, part.scratchpad));
    c.primitive.execute(cache_.stream(), {{DNNL_ARG_SRC, c.x},
                                          {DNNL_ARG_DIFF_DST, c.y},
                                          {DNNL_ARG_DIFF_WEIGHTS, c.w_packed},
                                          {DNNL_ARG_SCRATCHPAD, c.pad}});
  }

  // Into the first part, in order.
  void add_parts(void* workspace) const {
    const std::int64_t n = parts_.front().primitive->packed.get_size() / sizeof(float);
    float* sum = reinterpret_cast<float*>(at(workspace, parts_.front().packed));
    parallel_for(n, 16384, [&](std::int64_t begin, std::int64_t end) {
      for (std::size_t part = 1; part < parts_.size(); ++part) {
        const auto* more = reinterpret_cast<const float*>(at(workspace, parts_[part].packed));
        for (std::int64_t i = begin; i < end; ++i) sum[i] += more[i];
      }
    });
  }

  const ConvWgrad& op_;
  ConvolutionCache& cache_;
  std::vector<Part> parts_;
  std::size_t bytes_ = 0, result_ = 0;
};

}  // namespace

std::size_t CpuBackend::workspace(const ConvForward& op) {
  threads_.watch();
  if (op.x.elements() == 0 || op.w.elements() == 0) return 0;
  if (op.conv.depthwise) return depthwise_workspace(ConvPass::forward, op.conv, op.x.shape());
  return ImageParts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_).bytes();
}

std::size_t CpuBackend::workspace(const ConvDgrad& op) {
  const Tensor& dx = op.dx.tensor;
  if (dx.elements() == 0 || op.w.elements() == 0) return 0;
  if (op.conv.depthwise) return depthwise_workspace(ConvPass::dgrad, op.conv, dx.shape());
  const std::size_t parts =
      ImageParts(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), *convolutions_).bytes();
  return parts + (op.dx.adds() ? dx.elements() * sizeof(float) : 0);
}

std::size_t CpuBackend::workspace(const ConvWgrad& op) {
  if (op.x.elements() == 0 || op.dw.tensor.elements() == 0) return 0;
  if (op.conv.depthwise) return depthwise_workspace(ConvPass::wgrad, op.conv, op.x.shape());
  return WgradParts(op, *convolutions_).bytes();
}

void CpuBackend::compute(const ConvForward& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_forward(op, workspace);
  const ImageParts parts(ConvPass::forward, op.conv, op.x.shape(), op.w.shape(), *convolutions_);
  parts.compute(ConvPass::forward, op.x, op.w, op.y, op.y.address(), workspace);
}

void CpuBackend::compute(const ConvDgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_dgrad(op, workspace);
  const Tensor& dx = op.dx.tensor;
  const ImageParts parts(ConvPass::dgrad, op.conv, dx.shape(), op.w.shape(), *convolutions_);
  void* result = op.dx.adds() ? at(workspace, parts.bytes()) : dx.address();
  parts.compute(ConvPass::dgrad, op.dy, op.w, dx, result, workspace);
  if (op.dx.adds()) add_to(dx, result);
}

void CpuBackend::compute(const ConvWgrad& op, void* workspace) {
  if (op.conv.depthwise) return depthwise_wgrad(op, workspace);
  WgradParts(op, *convolutions_).compute(workspace);
}

}  // namespace adwp::cpu
