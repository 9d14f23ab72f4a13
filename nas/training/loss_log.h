// Losses and hits of training steps, kept on the device and read now and then.
//
// Reading a loss each step would stop the device each step. Instead the losses of a window of steps
// stand in a small buffer; at its end it is read once, checked, and added up.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "framework/backend/backend.h"

namespace adwp::nas {

class LossLog {
 public:
  static constexpr std::int64_t window = 64;  // steps between two readings

  explicit LossLog(Arena& arena);

  // Takes the loss (1) of one step. `what` names the step for the message, and is called only when
  // something is wrong. Throws, naming the first step whose loss is not finite, when a full window
  // is read.
  void add(const Tensor& loss, std::function<std::string()> what);

  // Reads what is pending; mean loss since the last call of this method (0 with no steps).
  double mean();

 private:
  void read();

  Tensor losses_;  // (window)
  std::vector<std::function<std::string()>> pending_;
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace adwp::nas
