#include "nas/evaluation/latency.h"

#include <algorithm>
#include <vector>

#include "framework/backend/replay.h"
#include "nas/network/macro_network.h"

namespace adwp::nas {

double LatencyMeter::measure(const NetworkPlan& plan, std::int64_t batch) {
  const Arena::Frame frame(arena_);
  Tape weights_tape(backend_, arena_, Tape::Recording::off);
  const NetworkWeights weights = source_.weights(weights_tape, plan);
  RunningStatistics statistics(arena_, plan);
  statistics.reset();
  const Task& task = plan.task;
  const Tensor images(arena_, Shape{batch, task.image_size, task.image_size, task.channels});
  images.zero();
  Replay network(backend_, arena_, [&] {
    Tape tape(backend_, arena_, Tape::Recording::off);
    forward(tape, plan, weights, images, {.given = &statistics.layers()});
  });
  for (int i = 0; i < warm_up; ++i) network.run();
  std::vector<double> seconds(batch == 1 ? runs_of_one : runs_of_many);
  for (double& s : seconds) s = backend_.seconds([&] { network.run(); });
  const auto middle = seconds.begin() + std::ssize(seconds) / 2;
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle * 1e6;
}

}  // namespace adwp::nas
