// Data sets made from a seed, with a budget of epochs: what a strategy is tried on.
#pragma once

#include <map>
#include <memory>
#include <tuple>

#include "course/lab6/lab.h"
#include "data/data_set.h"
#include "framework/backend/backend.h"

namespace adwp::course {

inline constexpr std::int64_t budget = 24;  // epochs

class SeededBench : public lab::Bench {
 public:
  // The project's synthetic shapes, turned, with other colours, and its ten classes put together to five:
  // which, the seed decides.
  explicit SeededBench(std::uint64_t seed, std::int64_t epochs = budget);

  nas::Score train(const nas::Architecture& architecture, std::int64_t epochs) override;
  // Accuracy on the test images after the final training. Costs nothing.
  double test_accuracy(const nas::Architecture& architecture);
  // The whole budget once more, for another strategy on the same data.
  void begin_again();
  std::int64_t trainings() const { return trainings_; }

 private:
  nas::Score score(const nas::Architecture& architecture, std::int64_t epochs, bool test);
  nas::Score train_and_score(const nas::Architecture& architecture, std::int64_t epochs,
                             const data::ImageSet& scored);

  std::unique_ptr<Backend> device_;
  data::ImageSet train_, validation_, test_;
  PixelNorm norm_;
  std::int64_t trainings_ = 0;
  std::map<std::tuple<std::uint64_t, std::int64_t, bool>, nas::Score> done_;  // by architecture, epochs, test
};

// What is to be beaten: eight random networks for an epoch, the best four for two, the best two for four.
nas::Architecture random_halving(lab::Bench& bench, std::uint64_t seed);

}  // namespace adwp::course
