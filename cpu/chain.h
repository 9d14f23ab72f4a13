// oneDNN's convolutions with batch norm of given statistics and activation in their epilogue, made once for
// each shape, for one thread.
#pragma once

#include "cpu/convolution.h"

namespace adwp::cpu {

enum class Way { direct, winograd };

// Holds no operands: threads may execute it at once.
struct FoldedConvolution {
  dnnl::primitive primitive;
  ImageLayout x, y;
  dnnl::memory::desc kernel, packed, bias, scratchpad;  // packed: the kernel as the primitive wants it
  dnnl::reorder pack;                                   // none where pack_for_winograd does it
};

class FoldedCache {
 public:
  FoldedCache() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

  // Of a part, x; directly where oneDNN has no other way.
  const FoldedConvolution& get(const ConvChain::Layer& layer, const Shape& x, Way way);
  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }

 private:
  struct Key {
    Conv2d conv;
    Shape x;
    std::int64_t filters;
    Activation act;
    Way way;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  FoldedConvolution make(const ConvChain::Layer& layer, const Shape& x, Way way);  // or without a primitive

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unordered_map<Key, FoldedConvolution, Hash> entries_;
};

}  // namespace adwp::cpu
