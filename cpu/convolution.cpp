// Convolution through oneDNN, whose primitives are made once for each shape; convolution_parts.cpp runs them.
#include "cpu/convolution.h"

#include "cpu/loops.h"

namespace adwp::cpu {

using dnnl::memory;

namespace {

constexpr int primitive_cache_capacity = 32768;  // a search meets thousands of shapes

template <typename Primitive>
void take(Convolution& result, const typename Primitive::primitive_desc& description,
          const memory::desc& packed) {
  result.primitive = Primitive(description);
  result.packed = packed;
  result.scratchpad = description.scratchpad_desc();
  const std::string_view implementation = description.impl_info_str();
  result.depthwise = implementation.find("dw") != implementation.npos;
  result.general = !implementation.starts_with("jit") && !implementation.starts_with("brg");
}

}  // namespace

ConvolutionCache::ConvolutionCache(Products products)
    : products_(products), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  dnnl::set_primitive_cache_capacity(primitive_cache_capacity);
}

void ConvolutionCache::reorder(const memory::desc& from, void* source, const memory::desc& to,
                               void* target) const {
  memory in(from, engine_, source), out(to, engine_, target);
  dnnl::reorder(in, out).execute(stream_, in, out);
}

std::size_t ConvolutionCache::Hash::operator()(const Key& key) const {
  std::uint64_t hash = 0xCBF29CE484222325u;
  auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  };
  mix(int(key.pass));
  mix(key.threads);
  mix(((key.conv.kernel * 64 + key.conv.stride) * 64 + key.conv.padding) * 2 + key.conv.depthwise);
  for (int axis = 0; axis < 4; ++axis) {
    mix(key.x[axis]);
    mix(key.w[axis]);
  }
  return hash;
}

const Convolution& ConvolutionCache::get(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w) {
  const Key key{pass, conv, x, w, omp_get_max_threads()};
  auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  Convolution made = make(key, memory::data_type::f32);
  // Depthwise convolutions gain nothing (docs/results/cpu.md).
  if (products_ == Products::bf16 && !conv.depthwise) {
    Convolution narrow = make(key, memory::data_type::bf16);
    if (!narrow.general) made = std::move(narrow);
  }
  return entries_.emplace(key, std::move(made)).first->second;
}

ConvolutionDescription::ConvolutionDescription(const Conv2d& conv, const Shape& in, const Shape& w)
    : strides{conv.stride, conv.stride}, low{conv.padding, conv.padding} {
  using tag = memory::format_tag;
  const Shape out = conv2d_output(conv, in, w);
  // oneDNN names dimensions N, C, H, W and O, I, H, W whatever the layout; G, O, I, H, W where there are
  // groups.
  const auto image = [](const Shape& s) {
    return memory::desc({s[0], s[3], s[1], s[2]}, memory::data_type::f32, tag::nhwc);
  };
  x = image(in);
  y = image(out);
  const memory::dims kernel =
      conv.depthwise ? memory::dims{w[0], 1, 1, w[1], w[2]} : memory::dims{w[0], w[3], w[1], w[2]};
  krsc = memory::desc(kernel, memory::data_type::f32, conv.depthwise ? tag::goihw : tag::ohwi);
  any = memory::desc(kernel, memory::data_type::f32, tag::any);
  // Behind the last window there may be fewer padded pixels, or pixels that no window reads.
  const auto behind = [&](std::int64_t size, std::int64_t windows) {
    return (windows - 1) * conv.stride + conv.kernel - size - conv.padding;
  };
  high = {behind(in[1], out[1]), behind(in[2], out[2])};
}

Convolution ConvolutionCache::make(const Key& key, memory::data_type type) {
  const ConvolutionDescription d(key.conv, key.x, key.w);
  const auto& [x, out, krsc, any, strides, low, high] = d;
  const auto typed = [&](const memory::desc& f32, memory::format_tag tag) {
    return memory::desc(f32.dims(), type, tag);
  };
  // What is read is of that type, what is written f32.
  const memory::desc x_read = typed(x, memory::format_tag::nhwc),
                     y_read = typed(out, memory::format_tag::nhwc);
  const memory::desc w_read = typed(any, memory::format_tag::any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto direct = dnnl::algorithm::convolution_direct;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, direct, x_read, w_read,
       key.pass == ConvPass::forward ? out : y_read, strides, low, high},
      attributes, engine_);

  Convolution result;
  if (key.pass == ConvPass::forward) {
    take<dnnl::convolution_forward>(result, forward, forward.weights_desc());
  } else if (key.pass == ConvPass::dgrad) {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward({direct, x, w_read, y_read, strides, low, high}, attributes,
                                            engine_, forward);
    take<Backward>(result, backward, backward.weights_desc());
  } else {
    using Backward = dnnl::convolution_backward_weights;
    const Backward::primitive_desc backward({direct, x_read, any, y_read, strides, low, high}, attributes,
                                            engine_, forward);
    take<Backward>(result, backward, backward.diff_weights_desc());
  }
  result.x = x;
  result.y = out;
  result.krsc = krsc;
  if (type == memory::data_type::bf16) {
    if (key.pass != ConvPass::dgrad) result.narrow_x = x_read;
    if (key.pass != ConvPass::forward) result.narrow_y = y_read;
  }
  return result;
}

bool wgrad_by_onednn(const Conv2d& conv, const Shape& x, ConvolutionCache& cache) {
  if (!conv.depthwise) return true;
  const OneThread alone;
  const Shape w{x[3], conv.kernel, conv.kernel, 1};
  return cache.get(ConvPass::wgrad, conv, Shape{1, x[1], x[2], x[3]}, w).depthwise;
}

}  // namespace adwp::cpu
