// All parameters of a model in one flat buffer, their gradients in another.
//
// The optimizer, the gradient's norm, averaging and checkpoints are then one pass each. Parameters
// that weight decay shrinks stand first, norms and biases behind them. Every parameter starts at a
// multiple of 64 elements; the gaps hold zeros and stay zero.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/autograd/tape.h"
#include "framework/backend/backend.h"

namespace adwp::nn {

// How a parameter begins.
struct Initial {
  enum class Kind { constant, normal, uniform } kind = Kind::constant;
  float scale = 0;  // the constant; the deviation; the bound of [-scale, scale]

  static Initial constant(float value) { return {Kind::constant, value}; }
  static Initial normal(float deviation) { return {Kind::normal, deviation}; }
  static Initial uniform(float bound) { return {Kind::uniform, bound}; }
  // Normal with variance 2 / fan_in (He et al., 2015).
  static Initial he(std::int64_t fan_in);
};

enum class Decay { yes, no };

class ParameterStore {
 public:
  static constexpr std::int64_t alignment = 64;  // elements

  struct Entry {
    std::string name;
    Shape shape;
    Decay decay;
    Initial initial;
    std::int64_t offset = 0;  // elements from the start of the flat buffer; valid once built
  };

  // Declares a parameter and returns its number. Throws once built, and for a name used twice.
  int add(std::string name, Shape shape, Decay decay, Initial initial);

  // Allocates both buffers in the arena and fills the values from (seed, number of parameter).
  void build(Arena& arena, std::uint64_t seed);

  Variable operator[](int parameter) const;
  const Variable& flat() const { return flat_; }  // values and gradients as one leaf
  const std::vector<Entry>& entries() const { return entries_; }
  const Entry& entry(int parameter) const { return entries_[parameter]; }

  Tensor values() const { return flat_.value(); }
  Tensor gradients() const { return flat_.gradient().tensor(); }
  std::int64_t decayed() const { return decayed_; }  // elements with weight decay, all first
  std::int64_t parameters() const;                   // elements, gaps not counted
  void zero_gradients() const { gradients().zero(); }

 private:
  std::vector<Entry> entries_;
  std::int64_t decayed_ = 0;
  Variable flat_;
};

}  // namespace adwp::nn
