// A stored network on a device.
#pragma once

#include "data/loader.h"
#include "nas/network/macro_network.h"
#include "nas/network/stored_network.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::nas {

// Puts a stored network's tensors where they belong; both are of its plan.
void load_network(const StoredNetwork& network, TrainedWeights& weights, RunningStatistics& statistics);

class Inference {
 public:
  // Takes memory for the network and `batch` images at a time.
  Inference(Backend& backend, const StoredNetwork& network, std::int64_t batch);

  // What is asked about: the images, or each and its mirror, whose logits are then averaged.
  enum class Views { images, mirrored_too };
  // Row by row (images, classes), with the stored statistics. Images must have the network's size. Throws
  // when they come out as NaN or Inf.
  std::vector<float> logits(const data::ImageSet& images, Views views = Views::images);
  // The probabilities of one row of logits.
  static std::vector<double> softmax(std::span<const float> logits);

  // Statistics of the first batch of `images`, by the names of their tensors.
  std::map<std::string, io::HostTensor> statistics_of(const data::ImageSet& images);

 private:
  // All that stays on the device.
  struct Resident {
    Resident(Backend& backend, Arena& arena, const StoredNetwork& network, std::int64_t batch);

    TrainedWeights weights;
    RunningStatistics statistics;
    data::DeviceImages images;
    data::Loader loader;
    Tensor x, y;
  };
  static std::size_t measure(Backend& backend, const StoredNetwork& network, std::int64_t batch);
  static Variable compute(Tape& tape, Resident& resident, const NetworkPlan& plan, const NormMode& norm);

  // Puts images `first`.. on the device, zeros behind the last: every batch is full and finds the same
  // memory.
  void load(const data::ImageSet& images, std::int64_t first);

  Backend& backend_;
  NetworkPlan plan_;
  std::int64_t batch_;
  Arena arena_;
  Resident resident_;
};

// A network nobody trained: weights from `seed`, statistics of a batch of noise. To try a tool chain with.
StoredNetwork random_network(Backend& backend, const NetworkPlan& plan, std::uint64_t seed);

}  // namespace adwp::nas
