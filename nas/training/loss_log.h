// The losses of training steps, which stay on the device and are read once in a window of steps.
//
// To read a loss after each step would make the host wait for the device each time. So a small buffer on the
// device collects the losses of a window; at its end the host reads, checks and adds them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/backend/backend.h"
#include "framework/core/error.h"

namespace adwp::nas {

// A loss is NaN or Inf: training has diverged, and to go on would only spoil what was saved.
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

  // Takes the loss (1) of one step, and reads the window when it is full. Throws Diverged when a loss is not
  // finite; `what`, which is called only then, names the step for the message.
  void add(const Tensor& loss, std::function<std::string()> what);

  // Reads what is pending and returns the mean loss since the last call (0 with no steps).
  double mean();

  // Reads what is pending and returns the sum that mean() would divide. An epoch that goes on from this sum
  // comes to the same mean, to the bit, because losses are added one by one in their order.
  double sum();
  void go_on(double sum, std::int64_t count);
  // The mean of the losses that were read: costs nothing, and lags behind by up to a window. Nothing at
  // first.
  std::optional<double> mean_so_far() const;

 private:
  void read();

  Tensor losses_;                                      // (window)
  std::vector<std::function<std::string()>> pending_;  // names of the steps that are not read
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace adwp::nas
