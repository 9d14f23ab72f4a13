// How far an epoch is: what it takes, besides weights and the optimizer's state, to go on within it to the
// same bits. Random numbers depend on the step alone (framework/core/random.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace adwp::nas {

struct EpochPosition {
  std::int64_t batches = 0;  // done
  double loss_sum = 0;       // of their steps

  // As facts of a checkpoint, "batches" and "loss_sum", and back; a checkpoint without them was made
  // between two epochs.
  void write(std::map<std::string, std::string>& facts) const;
  static EpochPosition read(const std::map<std::string, std::string>& facts);

  // "epoch 3", "epoch 3, batch 17": what lies behind, `epochs` being whole.
  std::string after(std::int64_t epochs) const;
};

}  // namespace adwp::nas
