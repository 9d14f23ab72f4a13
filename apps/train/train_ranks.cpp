// A training on several ranks, which share the micro-batches of each step.
#include <fmt/core.h>

#include <cstdio>

#include "apps/common/main.h"
#include "apps/common/ranks.h"
#include "apps/train/train_run.h"

namespace adwp::apps {

Start share_start(parallel::Group& group, nas::NetworkTrainer& trainer, const Start& start) {
  if (group.alone()) return start;
  const std::string text =
      group.broadcast(fmt::format("{} {} {}", start.epochs, start.batches, trainer.optimizer().steps()));
  Start all;
  long long epochs = 0, batches = 0, steps = 0;
  require(std::sscanf(text.c_str(), "%lld %lld %lld", &epochs, &batches, &steps) == 3, "ranks",
          "rank 0 does not say where the training goes on, got '{}'", text);
  trainer.optimizer().set_steps(steps);
  group.broadcast(trainer.parameters().values());
  for (const auto& [name, tensor] : trainer.optimizer().state()) group.broadcast(tensor);
  for (const auto& [name, tensor] : trainer.further_tensors()) group.broadcast(tensor);
  return {epochs, batches};
}

void TrainHelper::run(parallel::Group& group) {
  or_end_all(group, [&] {
    Arena& arena = *setup_.arena;
    const data::DeviceImages images = data::DeviceImages::upload(arena, setup_.data.train);
    nas::NetworkTrainer trainer(setup_.backend, arena, setup_.plan, images, setup_.data.norm,
                                setup_.training());
    trainer.share_with(group, interrupted);
    group.gather(group.host());
    const Start start = share_start(group, trainer, {});
    std::int64_t batches = start.batches;
    for (std::int64_t epoch = start.epochs; epoch < setup_.options.recipe.epochs; ++epoch) {
      trainer.run_epoch(epoch,
                        [&](double) {
                          if (trainer.stopping()) throw SilentEnd{interrupted_status};
                        },
                        {batches, {}});
      batches = 0;
    }
    group.barrier();
  });
}

}  // namespace adwp::apps
