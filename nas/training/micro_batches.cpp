// Steps whose batch is cut into micro-batches, which the ranks of a group share.
//
// Each micro-batch runs forward and backward by itself, with its own statistics in batch norm. Gradients,
// statistics and loss of the step are the means over the micro-batches, added in their order: so they do not
// depend on who computed which. The running statistics move once a step, towards those means.
#include "framework/backend/replay.h"
#include "framework/core/error.h"
#include "nas/training/network_trainer.h"

namespace adwp::nas {

// What each micro-batch comes to, in tensors, and whether its rank was told to stop; added over all ranks.
class NetworkTrainer::StepNumbers {
 public:
  using Tensors = std::vector<Tensor>;
  virtual ~StepNumbers() = default;
  // Of this rank's micro-batch number `part`.
  virtual void put(std::int64_t part, const Tensors& numbers, bool told) = 0;
  // Collective. Makes `numbers` the means over the micro-batches of all ranks, added one by one in their
  // order; returns whether any rank was told.
  virtual bool take_means(const Tensors& numbers) = 0;
};

namespace {

// Through the host.
class StagedNumbers : public NetworkTrainer::StepNumbers {
 public:
  StagedNumbers(parallel::Group& group, std::int64_t parts)
      : group_(group), share_(1.0f / parts), parts_(parts / group.size()) {}

  void put(std::int64_t part, const Tensors& numbers, bool told) override {
    std::vector<float>& all = parts_[part];
    all.clear();
    for (const Tensor& tensor : numbers) {
      const std::vector<float> values = tensor.to_host<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    all.push_back(told ? 1 : 0);
  }

  bool take_means(const Tensors& numbers) override {
    std::vector<float> sum = group_.sum(parts_);
    for (float& number : sum) number *= share_;
    std::span<const float> rest = sum;
    for (const Tensor& tensor : numbers) {
      tensor.copy_from_host(rest.first(tensor.elements()));
      rest = rest.subspan(tensor.elements());
    }
    return rest.front() > 0;
  }

 private:
  parallel::Group& group_;
  float share_;
  std::vector<std::vector<float>> parts_;
};

// From device to device; comes to the same bits.
class LinkedNumbers : public NetworkTrainer::StepNumbers {
 public:
  // `count` of each micro-batch, with whether its rank was told.
  LinkedNumbers(Backend& backend, parallel::Group& group, std::int64_t parts, std::int64_t count)
      : backend_(backend),
        group_(group),
        count_(count),
        memory_(backend, (parts + parts / group.size() + 3) * (count * sizeof(float) + Arena::alignment)),
        mine_(memory_, Shape{parts / group.size() * count}),
        all_(memory_, Shape{parts * count}),
        sum_(memory_, Shape{1, count, 1, 1}),
        mean_(memory_, Shape{1, count, 1, 1}),
        share_(Tensor::from_host(memory_, Shape{1, 1, 1, 1},
                                 std::span<const float>(std::vector<float>{1.0f / parts}))) {}

  void put(std::int64_t part, const Tensors& numbers, bool told) override {
    std::int64_t at = part * count_;
    for (const Tensor& tensor : numbers) {
      mine_.view(at, tensor.shape()).copy_from(tensor);
      at += tensor.elements();
    }
    const float last = told ? 1 : 0;
    mine_.view(at, Shape{1}).copy_from_host(std::span<const float>(&last, 1));
  }

  bool take_means(const Tensors& numbers) override {
    group_.gather(mine_, all_);
    sum_.copy_from(all_.view(0, sum_.shape()));
    for (std::int64_t at = count_; at < all_.elements(); at += count_) {
      backend_.compute(CopyGradient{all_.view(at, sum_.shape()), {sum_, GradMode::accumulate}});
    }
    backend_.compute(ChannelScaleForward{sum_, share_, mean_});
    std::int64_t at = 0;
    for (const Tensor& tensor : numbers) {
      tensor.copy_from(mean_.view(at, tensor.shape()));
      at += tensor.elements();
    }
    return mean_.view(at, Shape{1}).to_host<float>().front() > 0;
  }

 private:
  Backend& backend_;
  parallel::Group& group_;
  std::int64_t count_;
  Arena memory_;  // of its own: the run's was measured without it
  Tensor mine_, all_, sum_, mean_, share_;
};

}  // namespace

struct NetworkTrainer::Parts {
  Batch batch;
  Drops drops;                                  // of a micro-batch
  std::vector<std::pair<Tensor, Tensor>> rows;  // of the batch, and room for those of a micro-batch
  Tensor loss, statistics;                      // of a micro-batch, then of the step
  std::optional<Replay> gradients;              // of a micro-batch
  std::vector<Tensor> numbers;                  // of a micro-batch, then of the step
  std::unique_ptr<StepNumbers> sums;

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
  const std::int64_t mine = options_.micro_batches / group_->size();
  for (std::int64_t m = 0; m < mine; ++m) {
    parts.take(group_->rank() * mine + m);
    parts.gradients->run();
    parts.sums->put(m, parts.numbers, stop_());
  }
  stopping_ = parts.sums->take_means(parts.numbers);
  statistics_.update(backend_, parts.statistics, options_.norm_momentum);
  update(learning_rate(step));
}

void NetworkTrainer::run_micro_batches(std::int64_t epoch, std::int64_t first, const Done& done) {
  loader_.begin_epoch(epoch);
  const Arena::Frame frame(arena_);
  const std::int64_t size = options_.batch / options_.micro_batches;
  Parts parts{.batch = reserve_batch(image_size(epoch)),
              .loss = Tensor(arena_, Shape{kinds_of_losses()}),
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
  parts.numbers = {weights_.parameters().gradients(), parts.statistics, parts.loss};
  if (group_->links(backend_)) {
    std::int64_t count = 1;
    for (const Tensor& tensor : parts.numbers) count += tensor.elements();
    parts.sums = std::make_unique<LinkedNumbers>(backend_, *group_, options_.micro_batches, count);
  } else {
    parts.sums = std::make_unique<StagedNumbers>(*group_, options_.micro_batches);
  }
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
