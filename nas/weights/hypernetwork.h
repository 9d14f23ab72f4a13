// The HyperNetwork: from the architecture encoding to every kernel of the network.
//
//   z = encoder(layer code | network code)                                 (layers, width)
//   tile = decoder_f(z[layer] + row_f[i] + column_f[j])                    one tile of a kernel
//
// For each family f of kernels (1 x 1; dense k x k; depthwise k x k; norm) one small decoder, shared
// by all layers, emits tiles: 16 x 16 for 1 x 1, 8 x 8 x k x k dense, 16 x k x k depthwise, 16 scales
// and 16 shifts for batch norm. Tiles side by side, cropped, times sqrt(2 / fan-in), are the kernel.
// All tiles of a family, over all layers and all networks that are predicted together, are one GEMM. The stem
// and the classifier are shared parameters, the classifier sliced to width.
//
// As an option the tiles are changes of shared kernels (shared_kernels.h), which hold what is common to all
// networks of the space: kernel = shared kernel, sliced + tiles. That learns as fast and ranks no better
// (docs/results/ranking.md), and takes more parameters. Design: docs/guide.md; kin: SMASH, MetaPruning,
// GHN-2.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/ops/ops.h"
#include "nas/space/encoding.h"
#include "nas/space/search_space.h"
#include "nas/weights/shared_kernels.h"
#include "nas/weights/weight_source.h"

namespace adwp::nas {

struct HyperNetworkOptions {
  int width = 128;             // of z, and half the decoders' hidden width
  bool shared_kernel = false;  // predict changes of shared kernels (else whole kernels)
  // How large shared kernels and changes start, of what He et al. 2015 have. Where shared kernels start
  // large, networks of many layers do not learn for a long time: each kernel is trained in few of the steps.
  float shared_start = 0.3f, change_start = 1;
  bool predict_norm = true;  // also predict batch norm's scale and shift (else the shared ones, or 1 and 0)
  bool network_code = true;  // condition each layer on the whole network's code too
};

class HyperNetwork : public WeightSource {
 public:
  HyperNetwork(Arena& arena, const SearchSpace& space, const Task& task, const HyperNetworkOptions& options,
               std::uint64_t seed);

  NetworkWeights weights(Tape& tape, const NetworkPlan& plan) override;
  std::vector<NetworkWeights> weights(Tape& tape, std::span<const NetworkPlan> plans) override;
  nn::ParameterStore& parameters() override { return store_; }
  // The shared kernels, without the change; nothing where whole kernels are predicted.
  const SharedKernels* shared() const { return shared_.get(); }

 private:
  enum class Kind { dense, depthwise, norm, pointwise };
  struct FamilyId {
    Kind kind = Kind::dense;
    int kernel = 0;  // dense, depthwise; else 0
    auto operator<=>(const FamilyId&) const = default;
    std::string text() const;  // "dense3": how its parameters' names begin
  };
  // One decoder: embeddings of the tile's place, then two linear layers.
  struct Family {
    std::int64_t tile_rows = 0, tile_cols = 0, taps = 0;  // a kernel's tile
    std::int64_t second_column = 0;  // tile column where a concatenation's second part begins
    int rows = 0, columns = 0, hidden = 0, hidden_bias = 0, out = 0, out_bias = 0;  // parameters
    std::int64_t tile_elements() const { return tile_rows * tile_cols * taps; }
  };
  // The tiles that one family emits.
  struct Request {
    std::vector<std::int32_t> index;  // (tiles, 3): row of z, tile row, tile column
    std::vector<TilePiece> pieces;
    std::int32_t tiles() const { return index.size() / 3; }
  };

  static FamilyId family_of(const LayerSpec& layer);
  void add_families();
  void add_own_stem_and_classifier();
  void add_family(FamilyId id, std::int64_t tile_rows, std::int64_t tile_cols, std::int64_t taps,
                  float out_deviation);
  Variable encode(Tape& tape, std::span<const NetworkPlan> plans) const;
  Variable decode(Tape& tape, const Family& family, const Variable& z, const Request& request) const;
  // Adds what a network wants, whose layers are the rows of z from `row` on.
  void request(const NetworkPlan& plan, std::int32_t row, const WeightLayout& target,
               std::map<FamilyId, Request>& requests) const;
  void request_kernel(const LayerSpec& layer, std::int32_t row, std::int64_t target,
                      std::map<FamilyId, Request>& requests) const;
  void request_norm(const LayerSpec& layer, std::int32_t row, const WeightLayout::Offsets& target,
                    Request& request) const;

  Variable linear(Tape& tape, const Variable& x, int weight, int bias,
                  Activation act = Activation::none) const;
  TilePiece classifier_piece(const NetworkPlan& plan, const WeightLayout& layout) const;
  // A network's part of what was assembled, and the parameters beside it.
  NetworkWeights weights_in(const Variable& flat, const NetworkPlan& plan, const WeightLayout& layout) const;

  SearchSpace space_;
  Task task_;
  Encoding encoding_;
  HyperNetworkOptions options_;
  nn::ParameterStore store_;
  std::unique_ptr<SharedKernels> shared_;
  std::map<FamilyId, Family> families_;
  std::int64_t most_channels_ = 0;  // of any layer's input or output
  std::int64_t widest_ = 0;         // of any stage
  int encoder_in_ = 0, encoder_in_bias_ = 0, encoder_out_ = 0, encoder_out_bias_ = 0;
  // Where whole kernels are predicted: the stem and the classifier, which are parameters still.
  std::int64_t classifier_inputs_ = 0;  // the largest
  int stem_kernel_ = 0, stem_scale_ = 0, stem_shift_ = 0;
  int classifier_ = 0, classifier_bias_ = 0;
  Tensor ones_, zeros_;  // (most_channels): norms that are not predicted
};

}  // namespace adwp::nas
