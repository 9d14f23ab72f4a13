// Losses and hits of training steps, kept on the device and read now and then.
//
// Reading a loss each step would stop the device each step. Instead the losses of a window of steps
// stand in a small buffer; at its end it is read once, checked, and added up.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/backend/backend.h"
#include "framework/core/error.h"

namespace adwp::nas {

// A loss is NaN or Inf: training has diverged, and going on would only spoil what was saved.
class Diverged : public Error {
 public:
  explicit Diverged(std::string what)
      : Error(Fault::failed, "training", what), description_(std::move(what)) {}
  const std::string& description() const { return description_; }  // without `[where]`

 private:
  std::string description_;
};

class LossLog {
 public:
  static constexpr std::int64_t window = 64;  // steps between two readings

  explicit LossLog(Arena& arena);

  // Takes the loss (1) of one step. `what` names the step for the message, and is called only when
  // something is wrong. Throws Diverged, naming the first step whose loss is not finite, when a full
  // window is read.
  void add(const Tensor& loss, std::function<std::string()> what);

  // Reads what is pending; mean loss since the last call of this method (0 with no steps).
  double mean();

  // The sum that mean() would divide: with what is pending read. An epoch that goes on from it elsewhere
  // comes to the same mean, to the bit, for losses are added one by one in their order.
  double sum();
  void go_on(double sum, std::int64_t count);
  // The mean of what was read already: costs nothing, and lags behind by a window. Nothing at first.
  std::optional<double> mean_so_far() const;

 private:
  void read();

  Tensor losses_;  // (window)
  std::vector<std::function<std::string()>> pending_;
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace adwp::nas
