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
  Batch batch;
  Drops drops;                                  // of a micro-batch
  std::vector<std::pair<Tensor, Tensor>> rows;  // of the batch, and room for those of a micro-batch
  Tensor loss, statistics;                      // of a micro-batch, then of the step
  std::optional<Replay> gradients;              // of a micro-batch

  void take(std::int64_t number) {
    for (const auto& [whole, part] : rows) {
      part.copy_from(whole.view(number * part.elements(), part.shape()));
    }
  }
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
  const Tensor gradients = weights_.parameters().gradients();
  std::vector<std::vector<float>> numbers;  // of each micro-batch: gradients, statistics, loss, told to stop
  for (std::int64_t m = group_->rank() * mine; m < (group_->rank() + 1) * mine; ++m) {
    parts.take(m);
    parts.gradients->run();
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
  update(learning_rate(step));
}

void NetworkTrainer::run_micro_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  loader_.begin_epoch(epoch);
  const Arena::Frame frame(arena_);
  const std::int64_t size = options_.batch / options_.micro_batches;
  Parts parts{.batch = reserve_batch(image_size(epoch)),
              .loss = Tensor(arena_, Shape{1}),
              .statistics = Tensor(arena_, statistics_.flat().shape())};
  const auto part_of = [&](const Tensor& whole) {
    if (!whole.defined()) return Tensor();
    const Shape& of = whole.shape();  // (N), or (N, H, W, C)
    const Shape shape = of.rank() == 1 ? Shape{size} : Shape{size, of[1], of[2], of[3]};
    return parts.rows.emplace_back(whole, Tensor(arena_, shape, whole.dtype())).second;
  };
  const ClassTargets whole = parts.batch.targets();
  const Views views = parts.batch.images();
  const Tensor pupil = part_of(views.pupil);
  const bool larger = parts.batch.small_x.defined() && teacher_;
  const Views x{pupil, larger ? part_of(views.teacher) : pupil};
  const ClassTargets targets{
      .labels = part_of(whole.labels), .others = part_of(whole.others), .share = part_of(whole.share)};
  for (const Tensor& mask : drops_.masks().paths) parts.drops.paths.push_back(part_of(mask));
  parts.drops.features = part_of(drops_.masks().features);
  parts.gradients.emplace(backend_, arena_,
                          [&] { compute_part(x, targets, parts.drops, parts.loss, parts.statistics); });
  for (std::int64_t batch = first; batch < steps_per_epoch(); ++batch) {
    const std::int64_t step = epoch * steps_per_epoch() + batch;
    load(batch, parts.batch);
    drops_.draw(step);
    step_by_parts(step, parts);
    log_.add(parts.loss, [this, step] {
      return fmt::format("step {} of training architecture {}", step, plan_.architecture.to_json());
    });
    done(batch + 1);
  }
}

}  // namespace adwp::nas
