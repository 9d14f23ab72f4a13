// Where a macro-network gets its weights from: predicted by the HyperNetwork, sliced from shared
// weights, or trained. The code that assembles the network is the same for all three.
#pragma once

#include <span>
#include <vector>

#include "framework/autograd/tape.h"
#include "framework/backend/specs.h"
#include "framework/nn/parameter_store.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

struct LayerWeights {
  Variable kernel;  // (out, k, k, in / groups)
  Variable scale;   // (out); empty for a layer with a bias instead of a norm
  Variable shift;   // (out); or the bias
};

struct AuxiliaryWeights {
  LayerWeights layer;
  Variable classifier, classifier_bias;
};

struct NetworkWeights {
  std::vector<LayerWeights> layers;  // in the plan's order
  Variable classifier;               // (classes, inputs)
  Variable classifier_bias;          // (classes)
  AuxiliaryWeights auxiliary;        // empty without an auxiliary head
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The weights of one network, for the duration of the tape's frame. Gradients flow into
  // `parameters()` when the tape records.
  virtual NetworkWeights weights(Tape& tape, const NetworkPlan& plan) = 0;
  // Those of many, in order. Each has the bits that it has alone, where the device is batch-invariant.
  virtual std::vector<NetworkWeights> weights(Tape& tape, std::span<const NetworkPlan> plans);

  virtual nn::ParameterStore& parameters() = 0;
  const nn::ParameterStore& parameters() const { return const_cast<WeightSource*>(this)->parameters(); }
};

// Where the weights of one network lie in the flat buffer that ops::assemble fills, and the list of
// pieces that fill it. Those of many networks lie one behind the other. Shared by the weight sources that cut
// weights out of something larger.

// A run of channels along one axis of a kernel, and where it comes from in the source. A layer that
// reads a concatenation has two along its input channels: the second part keeps its own place in
// the source, whatever the width of the first.
struct ChannelRun {
  std::int64_t begin = 0;  // first channel in the layer's kernel
  std::int64_t count = 0;
  std::int64_t origin = 0;  // first channel in the source's coordinates
};
// Runs along a layer's input: one, or two with the second at `second_origin`.
std::vector<ChannelRun> input_runs(const LayerSpec& layer, std::int64_t second_origin);
// Runs along its output: as the input for a depthwise layer, else one.
std::vector<ChannelRun> output_runs(const LayerSpec& layer, std::int64_t second_origin);

class WeightLayout {
 public:
  struct Offsets {
    std::int64_t kernel, scale, shift;  // elements; scale is -1 where there is a bias
  };
  explicit WeightLayout(const NetworkPlan& plan, std::int64_t begin = 0);

  const Offsets& layer(std::size_t index) const { return layers_[index]; }
  std::int64_t classifier() const { return classifier_; }
  std::int64_t end() const { return end_; }

  // Views of the assembled buffer. The classifier's bias is not cut and stays empty.
  NetworkWeights views(const Variable& flat, const NetworkPlan& plan) const;

 private:
  std::vector<Offsets> layers_;
  std::int64_t classifier_ = 0;
  std::int64_t end_ = 0;
};

// The list as the device reads it: i32 (n, 12).
Tensor upload(const Tape& tape, const std::vector<TilePiece>& pieces);

// The upper left corner (rows, taps, cols) of a parameter (max_rows, taps, max_cols) that begins at
// element `source`.
TilePiece slice(std::int64_t source, std::int64_t max_rows, std::int64_t max_cols, std::int64_t taps,
                std::int64_t rows, std::int64_t cols, std::int64_t target);

}  // namespace adwp::nas
