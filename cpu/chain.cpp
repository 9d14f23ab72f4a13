// Convolutions in a row for evaluation: each thread takes a few images through all of them while they lie in
// its second-level cache. Scale goes into the kernel, shift and activation into oneDNN's epilogue: each layer
// is one pass. Batches of 32 at 32 x 32 pixels wait for memory otherwise: 93 GFLOP/s instead of 250.
#include "cpu/chain.h"

#include <algorithm>
#include <cmath>

#include "cpu/convolution_parts.h"
#include "cpu/cpu_class.h"
#include "cpu/loops.h"
#include "cpu/winograd_kernel.h"
#include "framework/core/error.h"

namespace adwp::cpu {
namespace {

using dnnl::memory;

void append(dnnl::post_ops& epilogue, Activation act) {
  using dnnl::algorithm;
  switch (act) {
    case Activation::none:
      return;
    case Activation::relu:
      return epilogue.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
    case Activation::silu:
      return epilogue.append_eltwise(1, algorithm::eltwise_swish, 1, 0);
    case Activation::hard_swish:
      return epilogue.append_eltwise(1, algorithm::eltwise_hardswish, 0, 0);
    case Activation::sigmoid:
      return epilogue.append_eltwise(1, algorithm::eltwise_logistic, 0, 0);
    case Activation::hard_sigmoid:
      epilogue.append_eltwise(1, algorithm::eltwise_linear, 1.0f / 6, 0.5f);
      return epilogue.append_eltwise(1, algorithm::eltwise_clip, 0, 1);
  }
}

// The kernel times the norm's factor, and the rest of the norm as a bias.
void fold(const ConvChain::Layer& layer, float epsilon, float* kernel, float* bias) {
  const std::int64_t channels = layer.w.shape()[0], inner = layer.w.elements() / channels;
  const float *w = layer.w.data<float>(), *mean = layer.mean.data<float>(), *var = layer.var.data<float>();
  const float *scale = layer.scale.data<float>(), *shift = layer.shift.data<float>();
  for (std::int64_t k = 0; k < channels; ++k) {
    const float factor = scale[k] / std::sqrt(var[k] + epsilon);
    bias[k] = shift[k] - mean[k] * factor;
    for (std::int64_t i = 0; i < inner; ++i) kernel[k * inner + i] = w[k * inner + i] * factor;
  }
}

}  // namespace

std::size_t FoldedCache::Hash::operator()(const Key& key) const {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const std::int64_t value :
       {std::int64_t(key.act), std::int64_t(key.way), key.conv.kernel, key.conv.stride, key.conv.padding,
        std::int64_t(key.conv.depthwise), key.x[0], key.x[1], key.x[2], key.x[3], key.filters}) {
    hash = (hash ^ std::uint64_t(value)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

const FoldedConvolution& FoldedCache::get(const ConvChain::Layer& layer, const Shape& x, Way way) {
  const Key key{layer.conv, x, layer.w.shape()[0], layer.act, way};
  auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  FoldedConvolution made = make(layer, x, way);
  if (!made.primitive) made = make(layer, x, Way::direct);
  return entries_.emplace(key, std::move(made)).first->second;
}

FoldedConvolution FoldedCache::make(const ConvChain::Layer& layer, const Shape& x, Way way) {
  const OneThread alone;
  const ConvolutionDescription d(layer.conv, x, layer.w.shape());
  const bool winograd = way == Way::winograd;
  FoldedConvolution result;
  result.x.outside = d.x;
  result.y.outside = d.y;
  memory::desc x_taken = d.x, y_taken = d.y;
  if (winograd) {
    x_taken = blocked(d.x), y_taken = blocked(d.y);
    result.x.change(x_taken, engine_);
    result.y.change(y_taken, engine_);
  }
  result.kernel = d.krsc;
  result.bias = memory::desc({layer.w.shape()[0]}, memory::data_type::f32, memory::format_tag::a);
  dnnl::post_ops epilogue;
  append(epilogue, layer.act);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(epilogue);
  const dnnl::convolution_forward::primitive_desc description(
      {dnnl::prop_kind::forward_inference,
       winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct, x_taken, d.any,
       result.bias, y_taken, d.strides, d.low, d.high},
      attributes, engine_, winograd);
  if (winograd && (!description || !takes_winograd(description))) return {};
  result.primitive = dnnl::convolution_forward(description);
  result.packed = description.weights_desc();
  result.scratchpad = description.scratchpad_desc();
  if (winograd) return result;
  result.pack =
      dnnl::reorder(memory(result.kernel, engine_, nullptr), memory(result.packed, engine_, nullptr));
  return result;
}

// How a chain's batch is cut, and where things lie in the workspace: first the folded kernels and biases, as
// the parts of full size and the smaller last one want them, then each thread's buffers.
class ChainPlan {
 public:
  ChainPlan(const ConvChain& op, FoldedCache& cache) : op_(op), cache_(cache) {
    const std::int64_t batch = op.x.shape()[0];
    images_ = images_in_cache(batch, bytes_of_image());
    images_ = std::max(images_, std::min(images_that_pay(), batch / most_groups));
    parts_ = (batch + images_ - 1) / images_;
    threads_ = std::min<std::int64_t>(parts_, omp_get_max_threads());
    const std::int64_t most_threads = std::min<std::int64_t>(parts_, threads_with_room());
    for (const std::int64_t count : {images_, batch % images_}) {
      if (count > 0) sizes_.push_back({count, layers_for(count)});
    }
    packs_alike();
    thread_begin_ = bytes_;
    thread_bytes_ = 2 * aligned(widest_) + aligned(scratchpad_) + aligned(inside_x_) + aligned(inside_y_);
    bytes_ += most_threads * thread_bytes_;
  }

  std::size_t bytes() const { return bytes_; }

  void compute(std::byte* workspace) {
    for (const Size& size : sizes_) {
      for (std::size_t i = 0; i < size.layers.size(); ++i) prepare(op_.layers[i], size.layers[i], workspace);
    }
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
    for (std::int64_t part = 0; part < parts_; ++part) compute_part(part, workspace);
  }

 private:
  struct Placed {
    const FoldedConvolution* convolution;
    std::size_t kernel, packed, bias;  // in the workspace
    bool packed_already = false;
  };
  struct Size {
    std::int64_t images;
    std::vector<Placed> layers;
  };

  std::int64_t bytes_of_image() {
    std::int64_t most = 0;
    Shape shape = op_.x.shape();
    for (const ConvChain::Layer& layer : op_.layers) {
      const Shape next = layer.output(shape);
      const std::int64_t in = shape.elements() / shape[0], out = next.elements() / next[0];
      most = std::max(most, (in + out) * std::int64_t(sizeof(float)));
      shape = next;
    }
    return most;
  }

  Way way(const ConvChain::Layer& layer, const Shape& part) const {
    return winograd_pays(ConvPass::forward, layer.conv, part, layer.w.shape()) ? Way::winograd : Way::direct;
  }

  std::int64_t images_that_pay() const {
    std::int64_t most = 1;
    Shape shape = op_.x.shape();
    for (const ConvChain::Layer& layer : op_.layers) {
      const Shape part{images_for_winograd(shape), shape[1], shape[2], shape[3]};
      if (way(layer, part) == Way::winograd) most = std::max(most, part[0]);
      shape = layer.output(shape);
    }
    return most;
  }

  std::size_t take(std::size_t bytes) {
    const std::size_t at = bytes_;
    bytes_ += aligned(bytes);
    return at;
  }

  std::vector<Placed> layers_for(std::int64_t count) {
    std::vector<Placed> layers;
    const Shape& x = op_.x.shape();
    Shape shape{count, x[1], x[2], x[3]};
    for (const ConvChain::Layer& layer : op_.layers) {
      const FoldedConvolution& convolution = cache_.get(layer, shape, way(layer, shape));
      shape = layer.output(shape);
      widest_ = std::max<std::size_t>(widest_, shape.elements() * sizeof(float));
      scratchpad_ = std::max(scratchpad_, convolution.scratchpad.get_size());
      inside_x_ = std::max(inside_x_, convolution.x.buffer_bytes());
      inside_y_ = std::max(inside_y_, convolution.y.buffer_bytes());
      layers.push_back({&convolution, take(convolution.kernel.get_size()),
                        take(convolution.packed.get_size()), take(convolution.bias.get_size())});
    }
    return layers;
  }

  // What the last part wants as the others do is packed once.
  void packs_alike() {
    if (sizes_.size() < 2) return;
    for (std::size_t i = 0; i < op_.layers.size(); ++i) {
      const Placed& placed = sizes_.front().layers[i];
      Placed& last = sizes_.back().layers[i];
      last.packed_already = last.convolution->packed == placed.convolution->packed;
      if (last.packed_already) last.packed = placed.packed, last.bias = placed.bias;
    }
  }

  void prepare(const ConvChain::Layer& layer, const Placed& placed, std::byte* workspace) {
    if (placed.packed_already) return;
    const FoldedConvolution& c = *placed.convolution;
    auto* folded = reinterpret_cast<float*>(workspace + placed.kernel);
    fold(layer, op_.epsilon, folded, reinterpret_cast<float*>(workspace + placed.bias));
    if (!c.pack) {
      return pack_for_winograd(folded, layer.w.shape(), KernelUse::forward, c.packed,
                               reinterpret_cast<float*>(workspace + placed.packed));
    }
    memory kernel(c.kernel, cache_.engine(), workspace + placed.kernel);
    memory packed(c.packed, cache_.engine(), workspace + placed.packed);
    c.pack.execute(cache_.stream(), kernel, packed);
  }

  void compute_part(std::int64_t part, std::byte* workspace) {
    const std::int64_t first = part * images_;
    const Size& size = op_.x.shape()[0] - first < images_ ? sizes_.back() : sizes_.front();
    std::byte* own = workspace + thread_begin_ + omp_get_thread_num() * thread_bytes_;
    const auto image = [&](const Tensor& t) {
      return t.data<float>() + first * (t.elements() / t.shape()[0]);
    };
    float* read = image(op_.x);
    std::byte* scratchpad = own + 2 * aligned(widest_);
    std::byte *x_buffer = scratchpad + aligned(scratchpad_), *y_buffer = x_buffer + aligned(inside_x_);
    for (std::size_t i = 0; i < size.layers.size(); ++i) {
      const Placed& placed = size.layers[i];
      const FoldedConvolution& c = *placed.convolution;
      const bool last = i + 1 == size.layers.size();
      float* written = last ? image(op_.y) : reinterpret_cast<float*>(own + i % 2 * aligned(widest_));
      const auto at = [&](const memory::desc& d, void* address) {
        return memory(d, cache_.engine(), address);
      };
      c.primitive.execute(cache_.stream(), {{DNNL_ARG_SRC, c.x.reads(cache_.stream(), read, x_buffer)},
                                            {DNNL_ARG_WEIGHTS, at(c.packed, workspace + placed.packed)},
                                            {DNNL_ARG_BIAS, at(c.bias, workspace + placed.bias)},
                                            {DNNL_ARG_DST, c.y.writes(cache_.stream(), written, y_buffer)},
                                            {DNNL_ARG_SCRATCHPAD, at(c.scratchpad, scratchpad)}});
      c.y.written(cache_.stream(), written, y_buffer);
      read = written;
    }
    if (!op_.residual.defined()) return;
    float* y = image(op_.y);
    const float* more = image(op_.residual);
    const std::int64_t count = size.images * (op_.y.elements() / op_.y.shape()[0]);
    add_to(y, more, count);
  }

  const ConvChain& op_;
  FoldedCache& cache_;
  std::int64_t images_ = 1, parts_ = 1, threads_ = 1;  // images of a part
  std::vector<Size> sizes_;
  std::size_t bytes_ = 0, widest_ = 0, scratchpad_ = 0, inside_x_ = 0, inside_y_ = 0, thread_begin_ = 0,
              thread_bytes_ = 0;
};

// A single image is left to all threads, layer by layer: its time is its latency.
bool CpuBackend::fuses(const ConvChain& op) const { return op.x.shape()[0] > 1 && op.y.elements() > 0; }

std::size_t CpuBackend::workspace(const ConvChain& op) {
  threads_.watch();
  return ChainPlan(op, *chains_).bytes();
}

void CpuBackend::compute(const ConvChain& op, void* workspace) {
  ChainPlan(op, *chains_).compute(static_cast<std::byte*>(workspace));
}

}  // namespace adwp::cpu
