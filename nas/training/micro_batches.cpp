// Steps whose batch is cut into micro-batches, which the ranks of a group share.
//
// Each micro-batch runs forward and backward by itself, with its own statistics in batch norm. Gradients,
// statistics and loss of the step are the means over the micro-batches, added in their order: so they do not
// depend on who computed which. The running statistics move once a step, towards those means.
#include "framework/backend/replay.h"
#include "framework/core/error.h"
#include "nas/training/network_trainer.h"

namespace adwp::nas {

struct NetworkTrainer::Parts {
  Tensor x, y;              // the batch
  Tensor part_x, part_y;    // a micro-batch
  Tensor loss, statistics;  // of a micro-batch, then of the step
  Replay gradients;         // of a micro-batch
};

void NetworkTrainer::share_with(parallel::Group& group, std::function<bool()> stop) {
  if (options_.micro_batches % group.size() != 0) {
    fail_usage("train",
               "ranks cannot share a batch, got {} ranks and --micro-batches {}, expected a multiple",
               group.size(), options_.micro_batches);
  }
  group_ = &group;
  stop_ = std::move(stop);
}

void NetworkTrainer::step_by_parts(std::int64_t step, Parts& parts) {
  const std::int64_t count = options_.micro_batches, mine = count / group_->size();
  const std::int64_t images = options_.batch / count, pixels = parts.part_x.elements();
  const Tensor gradients = weights_.parameters().gradients();
  std::vector<std::vector<float>> numbers;  // of each micro-batch: gradients, statistics, loss, told to stop
  for (std::int64_t m = group_->rank() * mine; m < (group_->rank() + 1) * mine; ++m) {
    parts.part_x.copy_from(parts.x.view(m * pixels, parts.part_x.shape()));
    parts.part_y.copy_from(parts.y.view(m * images, parts.part_y.shape()));
    parts.gradients.run();
    std::vector<float>& all = numbers.emplace_back(gradients.to_host<float>());
    for (const Tensor& more : {parts.statistics, parts.loss}) {
      const std::vector<float> values = more.to_host<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    all.push_back(stop_() ? 1 : 0);
  }
  std::vector<float> sum = group_->sum(numbers);
  for (float& number : sum) number /= static_cast<float>(count);
  stopping_ = sum.back() > 0;
  std::span<const float> rest = sum;
  for (const Tensor& mean : {gradients, parts.statistics, parts.loss}) {
    mean.copy_from_host(rest.first(mean.elements()));
    rest = rest.subspan(mean.elements());
  }
  statistics_.update(backend_, parts.statistics, options_.norm_momentum);
  optimizer_.step(learning_rate(step));
}

void NetworkTrainer::run_micro_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  const Task& task = plan_.task;
  loader_.begin_epoch(epoch);
  const Arena::Frame frame(arena_);
  const auto images = [&](std::int64_t count) {
    return Tensor(arena_, Shape{count, task.image_size, task.image_size, task.channels});
  };
  const auto labels = [&](std::int64_t count) { return Tensor(arena_, Shape{count}, DType::i32); };
  const std::int64_t size = options_.batch / options_.micro_batches;
  Parts parts{images(options_.batch),
              labels(options_.batch),
              images(size),
              labels(size),
              Tensor(arena_, Shape{1}),
              Tensor(arena_, statistics_.flat().shape()),
              Replay(backend_, arena_,
                     [&] { compute_part(parts.part_x, parts.part_y, parts.loss, parts.statistics); })};
  for (std::int64_t batch = first; batch < steps_per_epoch(); ++batch) {
    const std::int64_t step = epoch * steps_per_epoch() + batch;
    loader_.load(batch, parts.x, parts.y);
    step_by_parts(step, parts);
    log_.add(parts.loss, [this, step] {
      return fmt::format("step {} of training architecture {}", step, plan_.architecture.to_json());
    });
    done(batch + 1);
  }
}

}  // namespace adwp::nas
