// A trained network as a file holds it: all that is needed to compute it elsewhere.
//
// Names of its tensors (f32; kernels (out, k, k, in / groups)):
//   LAYER.kernel  with  LAYER.scale, LAYER.shift, LAYER.mean, LAYER.var   a convolution with batch norm
//   LAYER.kernel  with  LAYER.bias                                        squeeze and excite
//   classifier.weight (classes, inputs), classifier.bias (classes)
// LAYER is a name of the plan ("stage1.block2.expand"). The metadata hold, as JSON: `architecture`; `input`
// {size, channels, mean, deviation}, the normalisation (pixel / 255 - mean) / deviation; `classes`, an array
// of names in the order of the logits.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "framework/io/checkpoint.h"
#include "nas/space/network_plan.h"

namespace adwp::nas {

struct StoredNetwork {
  NetworkPlan plan;
  PixelNorm norm;
  std::vector<std::string> classes;
  std::map<std::string, io::HostTensor> tensors;

  // Checkpoints of `train` may hold two networks: the raw weights of the last step, and, under the same names
  // with "average." in front, their moving averages, which are taken unless `raw` is asked for.
  enum class Weights { best, raw };

  // A checkpoint of `train` or a file of `save`, whose checksum, if it has one, is verified. Throws Error
  // naming the file when it is damaged or of something else.
  static StoredNetwork load(const std::string& path);
  static StoredNetwork from(io::StoredCheckpoint checkpoint, Weights weights = Weights::best);
  void save(const std::string& path) const;  // atomically; weights and statistics, no optimizer

  std::span<const float> values(const std::string& name) const;
};

// The metadata named above; `train` puts them into its checkpoints.
std::map<std::string, std::string> network_facts(const NetworkPlan& plan, const PixelNorm& norm,
                                                 const std::vector<std::string>& classes);

// Every tensor of a network with its shape, in the plan's order.
std::vector<std::pair<std::string, Shape>> tensors_of(const NetworkPlan& plan);

}  // namespace adwp::nas
