#include "nas/evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "framework/backend/replay.h"
#include "framework/core/error.h"
#include "nas/network/macro_network.h"

namespace adwp::nas {

namespace {

std::int64_t equal_batches(std::int64_t images, std::int64_t most) {
  require(images > 0 && most > 0, "evaluator", "no images to evaluate on, got {} in batches of {}", images,
          most);
  return images / ((images + most - 1) / most);
}

// Every network is recorded anew. Its first batch is called and its second recorded, which pays when more
// come.
constexpr std::int64_t fewest_replayed = 4;

// Of networks that are predicted together: tiles are counted in 32 bits, padding included.
constexpr std::int64_t most_parameters = std::int64_t{1} << 26;

}  // namespace

Evaluator::Evaluator(Backend& backend, Arena& arena, const data::DeviceImages& images, const PixelNorm& norm,
                     std::int64_t batch, std::int64_t most_networks)
    : backend_(backend),
      arena_(arena),
      batch_(equal_batches(images.count(), batch)),
      batches_(images.count() / batch_),
      loader_(data::Loader::sequential(backend, arena, images, batch_, norm)),
      table_(arena, Shape{most_networks, 2}) {}

// How many networks, from the first, are predicted together: fewer where the arena lacks room. A rehearsal
// allocates what the work itself does, so that no search fails for having tried more.
std::size_t Evaluator::together(WeightSource& source, std::span<const NetworkPlan> plans) {
  if (!backend_.batch_invariant()) return 1;
  std::size_t count = 1;
  std::int64_t parameters = plans[0].parameters();
  while (count < std::min(plans.size(), most_together)) {
    parameters += plans[count].parameters();
    if (parameters > most_parameters) break;
    ++count;
  }
  for (; count > 1; count /= 2) {
    Arena rehearsal = Arena::rehearsal(arena_);
    enqueue(rehearsal, source, plans.first(count), Tensor(rehearsal, Shape{std::int64_t(count), 2}));
    if (rehearsal.peak() <= arena_.size()) break;
  }
  return count;
}

void Evaluator::enqueue(Arena& arena, WeightSource& source, std::span<const NetworkPlan> plans,
                        const Tensor& scores, const std::function<void()>& between) {
  const Arena::Frame frame(arena);
  Tape tape(backend_, arena, Tape::Recording::off);
  const std::vector<NetworkWeights> weights = source.weights(tape, plans);
  for (std::int64_t i = 0; i < std::ssize(plans); ++i) {
    if (between) between();
    run_batches(arena, plans[i], weights[i], scores.view(2 * i, Shape{2}));
  }
}

void Evaluator::run_batches(Arena& arena, const NetworkPlan& plan, const NetworkWeights& weights,
                            const Tensor& score) {
  const Arena::Frame frame(arena);
  Tape tape(backend_, arena, Tape::Recording::off);
  const Task& task = plan.task;
  const Tensor x = tape.tensor(Shape{batch_, task.image_size, task.image_size, task.channels});
  const Tensor y = tape.tensor(Shape{batch_}, DType::i32);
  // The batch's number varies from batch to batch: what takes it is not recorded.
  auto count_hits = [&] { backend_.compute(CountHits{forward(tape, plan, weights, x).value(), y, score}); };
  Replay replay(backend_, arena, count_hits);
  const std::int64_t batches = arena.counting() ? 1 : batches_;  // all need the same memory
  for (std::int64_t i = 0; i < batches; ++i) {
    loader_.load(i, x, y);
    if (batches_ >= fewest_replayed) {
      replay.run();
    } else {
      count_hits();
    }
  }
}

std::vector<Score> Evaluator::evaluate(WeightSource& source, std::span<const NetworkPlan> plans,
                                       const std::function<void()>& between) {
  const std::int64_t count = plans.size();
  require(count <= table_.shape()[0], "evaluator", "too many networks, got {}, expected at most {}", count,
          table_.shape()[0]);
  if (count == 0) return {};
  table_.zero();
  for (std::int64_t first = 0; first < count;) {
    const std::int64_t some = together(source, plans.subspan(first));
    enqueue(arena_, source, plans.subspan(first, some), table_.view(2 * first, Shape{some, 2}), between);
    first += some;
  }
  const std::vector<float> table = table_.view(0, Shape{count, 2}).to_host<float>();
  const double images = images_per_network();
  std::vector<Score> scores;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const Score score{table[2 * i] / images, table[2 * i + 1] / images};
    require(std::isfinite(score.loss), "evaluator", "the loss of architecture {} is {}",
            plans[i].architecture.id(), score.loss);
    scores.push_back(score);
  }
  return scores;
}

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
