// oneDNN's convolutions, made once for each shape, and our own for what it lacks.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <unordered_map>

#include "cpu/cpu_backend.h"
#include "framework/backend/backend.h"

namespace adwp::cpu {

// A convolution in oneDNN's words. Images are NHWC; depthwise kernels have a group for each channel.
struct ConvolutionDescription {
  ConvolutionDescription(const Conv2d& conv, const Shape& x, const Shape& w);
  dnnl::memory::desc x, y, krsc, any;     // any: the kernel in a layout of the primitive's choice
  dnnl::memory::dims strides, low, high;  // low, high: padding before and behind
};

// A primitive and how its operands lie. The kernel may have to be brought into the primitive's own layout and
// back (it is small). It holds no operands: threads may execute it at once.
struct Convolution {
  dnnl::primitive primitive;
  dnnl::memory::desc x, y, krsc, packed, scratchpad;  // packed: the kernel as the primitive wants it
  dnnl::memory::desc narrow_x, narrow_y;              // of what is read in bf16; else empty
  bool general = false;                               // by oneDNN's way for what it has no kernel for
  bool depthwise = false;                             // by one of oneDNN's kernels for that
};

class ConvolutionCache {
 public:
  explicit ConvolutionCache(Products products);

  // Made for as many threads as OpenMP has now.
  const Convolution& get(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w);
  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }
  // Brings a kernel from one layout into another.
  void reorder(const dnnl::memory::desc& from, void* source, const dnnl::memory::desc& to,
               void* target) const;

 private:
  struct Key {
    ConvPass pass;
    Conv2d conv;
    Shape x, w;
    int threads;  // that the primitive was made for
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  // With operands of a type that is read: f32 or bf16.
  Convolution make(const Key& key, dnnl::memory::data_type type);

  Products products_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unordered_map<Key, Convolution, Hash> entries_;
};

// Whether oneDNN computes the gradient of a depthwise kernel, or depthwise_wgrad. Measured
// (docs/results/cpu.md): oneDNN's depthwise kernels have 100 to 115 GFLOP/s on images in cache, for forward
// and dgrad of every size, stride and number of channels, and for the weight gradient of 3 x 3. For larger
// kernels it has none of its own, and its general one has 7 to 10 GFLOP/s.
bool wgrad_by_onednn(const Conv2d& conv, const Shape& x, ConvolutionCache& cache);

// The gradient of a depthwise kernel by our own loops: each image is copied with its border into a padded
// buffer, so that the inner loops know no borders; they hold a vector of channels of a row of taps in
// registers. Channels are the fastest axis, so every load is contiguous.
void depthwise_wgrad(const ConvWgrad& op, void* workspace);
std::size_t depthwise_wgrad_workspace(const Conv2d& conv, const Shape& x);  // bytes

}  // namespace adwp::cpu
