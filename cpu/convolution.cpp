// Convolution through oneDNN, whose primitives are made once for each shape; convolution_parts.cpp runs them.
#include "cpu/convolution.h"

#include <bit>

#include "cpu/loops.h"

namespace adwp::cpu {

using dnnl::memory;

namespace {

constexpr int primitive_cache_capacity = 32768;  // a search meets thousands of shapes

// To the nearest bf16, to even where two are; a NaN stays one.
void round_to_bf16(const float* from, std::int64_t count, std::uint16_t* to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(from[i]);
    const std::uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    to[i] = (bits & 0x7FFFFFFFu) > 0x7F800000u ? bits >> 16 | 0x40u : rounded;
  }
}

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

void ImageLayout::change(const memory::desc& to, const dnnl::engine& engine) {
  inside = to;
  if (to.data_type() != outside.data_type()) return;
  const memory out(outside, engine, nullptr), in(inside, engine, nullptr);
  enter = dnnl::reorder(out, in);
  leave = dnnl::reorder(in, out);
}

memory ImageLayout::writes(const dnnl::stream& stream, float* address, void* buffer) const {
  return differs() ? memory(inside, stream.get_engine(), buffer)
                   : memory(outside, stream.get_engine(), address);
}

memory ImageLayout::reads(const dnnl::stream& stream, float* address, void* buffer) const {
  memory taken = writes(stream, address, buffer), from(outside, stream.get_engine(), address);
  if (enter) {
    enter.execute(stream, from, taken);
  } else if (differs()) {
    round_to_bf16(address, outside.get_size() / sizeof(float), static_cast<std::uint16_t*>(buffer));
  }
  return taken;
}

void ImageLayout::written(const dnnl::stream& stream, float* address, void* buffer) const {
  memory from = writes(stream, address, buffer), to(outside, stream.get_engine(), address);
  if (leave) leave.execute(stream, from, to);
}

namespace {

std::int64_t tiles(const Shape& x) { return (x[1] + 3) / 4 * ((x[2] + 3) / 4); }  // of 4 x 4, of an image

// Winograd's kind, with at most a quarter of the tiles' pixels outside.
bool fills_tiles(const Conv2d& conv, const Shape& x) {
  return conv == Conv2d{3, 1, 1, false} && x[1] * x[2] >= 12 * tiles(x);
}

}  // namespace

memory::desc blocked(const memory::desc& image) {
  return memory::desc(image.dims(), memory::data_type::f32, memory::format_tag::nChw16c);
}

std::int64_t images_for_winograd(const Shape& x) {
  constexpr std::int64_t enough = 128;  // tiles
  return (enough + tiles(x) - 1) / tiles(x);
}

bool winograd_pays(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w) {
  if (!fills_tiles(conv, x)) return false;
  const std::int64_t all = x[0] * tiles(x), channels = std::min(x[3], w[0]);
  if (pass == ConvPass::wgrad) return channels >= 48 && channels * all >= 2048;
  return channels >= 32 && all >= 16;
}

bool takes_winograd(const dnnl::convolution_forward::primitive_desc& description) {
  return description.scratchpad_desc().get_size() <= most_winograd_scratchpad &&
         packs_for_winograd(description.weights_desc());
}

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
  Convolution made;
  // Depthwise convolutions gain nothing (docs/results/cpu.md).
  if (products_ == Products::bf16 && !conv.depthwise) made = make(key, Way::narrow);
  if (!made.primitive || made.general) {
    made = {};
    if (key.threads == 1 && by_winograd(pass, conv, x, w)) {
      made = pass == ConvPass::wgrad ? make(key, Way::winograd) : make_winograd(key);
    }
    if (!made.primitive) made = make(key, Way::direct);
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

Convolution ConvolutionCache::make_winograd(const Key& key) {
  const ConvolutionDescription d(key.conv, key.x, key.w);
  const bool dgrad = key.pass == ConvPass::dgrad;
  Convolution result{.krsc = d.krsc, .winograd = dgrad ? KernelUse::dgrad : KernelUse::forward};
  const memory::desc x = blocked(d.x), y = blocked(d.y);
  const memory::dims kernel{key.w[dgrad ? 3 : 0], key.w[dgrad ? 0 : 3], 3, 3};
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::convolution_forward::primitive_desc description(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_winograd, dgrad ? y : x,
       memory::desc(kernel, memory::data_type::f32, memory::format_tag::any), dgrad ? x : y, d.strides, d.low,
       d.high},
      attributes, engine_, true);
  if (!description || !takes_winograd(description)) return {};
  take<dnnl::convolution_forward>(result, description, description.weights_desc());
  result.x.outside = d.x;
  result.y.outside = d.y;
  result.x.change(x, engine_);
  result.y.change(y, engine_);
  return result;
}

Convolution ConvolutionCache::make(const Key& key, Way way) {
  const ConvolutionDescription d(key.conv, key.x, key.w);
  const auto& [x, out, krsc, any, strides, low, high] = d;
  const bool winograd = way == Way::winograd;
  const auto type = way == Way::narrow ? memory::data_type::bf16 : memory::data_type::f32;
  const auto algorithm =
      winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  // What is read is of that type, what is written f32.
  const auto read = [&](const memory::desc& image) {
    return winograd ? blocked(image) : memory::desc(image.dims(), type, memory::format_tag::nhwc);
  };
  const memory::desc x_read = read(x), y_read = read(out), w_read(any.dims(), type, memory::format_tag::any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const bool or_empty = winograd;
  Convolution result;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, algorithm, x_read, w_read,
       key.pass == ConvPass::forward ? out : y_read, strides, low, high},
      attributes, engine_, or_empty);
  if (!forward) return result;
  if (key.pass == ConvPass::forward) {
    take<dnnl::convolution_forward>(result, forward, forward.weights_desc());
  } else if (key.pass == ConvPass::dgrad) {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward({algorithm, x, w_read, y_read, strides, low, high}, attributes,
                                            engine_, forward);
    take<Backward>(result, backward, backward.weights_desc());
  } else {
    using Backward = dnnl::convolution_backward_weights;
    const Backward::primitive_desc backward({algorithm, x_read, any, y_read, strides, low, high}, attributes,
                                            engine_, forward, or_empty);
    if (!backward) return result;
    take<Backward>(result, backward, backward.diff_weights_desc());
  }
  if (winograd && result.scratchpad.get_size() > most_winograd_scratchpad) return {};
  result.krsc = krsc;
  result.x.outside = x;
  result.y.outside = out;
  if (winograd || (way == Way::narrow && key.pass != ConvPass::dgrad)) result.x.change(x_read, engine_);
  if (winograd || (way == Way::narrow && key.pass != ConvPass::forward)) result.y.change(y_read, engine_);
  return result;
}

bool wgrad_by_onednn(const Conv2d& conv, const Shape& x, ConvolutionCache& cache) {
  if (!conv.depthwise) return true;
  const OneThread alone;
  const Shape w{x[3], conv.kernel, conv.kernel, 1};
  return cache.get(ConvPass::wgrad, conv, Shape{1, x[1], x[2], x[3]}, w).depthwise;
}

}  // namespace adwp::cpu
