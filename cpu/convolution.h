// oneDNN's dense convolutions, made once for each shape.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <unordered_map>

#include "framework/backend/backend.h"

namespace adwp::cpu {

// A convolution in oneDNN's words. Images are NHWC; depthwise kernels have a group for each channel.
struct ConvolutionDescription {
  ConvolutionDescription(const Conv2d& conv, const Shape& x, const Shape& w);
  dnnl::memory::desc x, y, krsc, any;     // any: the kernel in a layout of the primitive's choice
  dnnl::memory::dims strides, low, high;  // low, high: padding before and behind
};

// A primitive with its operands' descriptions. Activations stay NHWC; the kernel may have to be
// brought into the primitive's own layout and back (it is small).
struct Convolution {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  dnnl::memory::desc packed;            // the kernel as the primitive wants it
  bool repack = false;                  // packed differs from KRSC
  dnnl::reorder pack, unpack;           // KRSC -> packed, packed -> KRSC
  dnnl::memory x, w, y, w_packed, pad;  // handles are set for each call
};

class ConvolutionCache {
 public:
  ConvolutionCache();

  // Made for as many threads as OpenMP has now. `part`: of those that run at once and are otherwise the same,
  // each has one of its own.
  Convolution& get(ConvPass pass, const Conv2d& conv, const Shape& x, const Shape& w, std::int32_t part);
  dnnl::stream& stream() { return stream_; }

 private:
  struct Key {
    ConvPass pass;
    Conv2d conv;
    Shape x, w;
    std::int32_t part;
    int threads;  // that the primitive was made for
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  Convolution make(const Key& key);

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unordered_map<Key, Convolution, Hash> entries_;
};

// Depthwise convolution: our own loops for all three passes.
//
// One idea serves all: each image is copied with its border into a padded buffer (for dgrad the
// output's gradient, spread out by the stride), so that the inner loops know no borders; they hold a
// vector of channels of a few outputs (or of all taps) in registers. Channels are the fastest axis,
// so every load is contiguous.

// Bytes of workspace for each pass; x is the shape of the convolution's input.
std::size_t depthwise_workspace(ConvPass pass, const Conv2d& conv, const Shape& x);

void depthwise_forward(const ConvForward& op, void* workspace);
void depthwise_dgrad(const ConvDgrad& op, void* workspace);
void depthwise_wgrad(const ConvWgrad& op, void* workspace);

}  // namespace adwp::cpu
