#include "apps/common/resumable_training.h"

#include <fmt/core.h>

#include <utility>

#include "apps/common/main.h"
#include "framework/core/error.h"

namespace adwp::apps {
ResumableTraining::ResumableTraining(nas::Trainer& trainer, RunLog& log, Job job)
    : trainer_(trainer),
      job_(std::move(job)),
      checkpoints_(job_.checkpoint.string(), trainer.parameters(), &trainer.optimizer(),
                   trainer.further_tensors()),
      loaded_(checkpoints_.load(job_.same, [&](const std::string& what) { log.damage(what); })) {
  if (!loaded_) return;
  epochs_ = std::stoll(loaded_->at("epochs"));
  within_ = nas::EpochPosition::read(*loaded_);
  if (epochs_ == job_.goes_on_from && within_.batches == 0) return;
  const std::string batch = within_.batches > 0 ? fmt::format(", batch {}", within_.batches) : "";
  log.progress.say(fmt::format("{} after epoch {}{}", job_.resumed, epochs_, batch));
}

double ResumableTraining::epochs_done() const {
  const double batches = batches_done();
  return batches / trainer_.steps_per_epoch();
}

ResumableTraining::Facts ResumableTraining::facts(const Hooks& hooks) const {
  Facts all = hooks.facts();
  all.insert(job_.same.begin(), job_.same.end());
  all["epochs"] = std::to_string(epochs_);
  return all;
}

void ResumableTraining::train_epoch(const Hooks& hooks) {
  const auto after_batch = [&](double fraction) {
    hooks.show(epochs_ + fraction, trainer_.loss_so_far());
    if (!hooks.stop()) return;
    Facts stopped = facts(hooks);
    trainer_.position().write(stopped);
    checkpoints_.save_interrupted(stopped);
    stop_if_interrupted(true);
  };
  const double loss = trainer_.run_epoch(epochs_, after_batch, std::exchange(within_, {}));
  ++epochs_;
  hooks.record(epochs_, loss);
}

void ResumableTraining::run(const Hooks& hooks) {
  while (epochs_ < job_.epochs) {
    or_last_good(checkpoints_, job_.learning_rate, [&] { train_epoch(hooks); });
    if (epochs_ < job_.epochs || job_.saves_last_epoch) {
      checkpoints_.save(facts(hooks));
    } else {
      checkpoints_.discard_interrupted();
    }
    if (hooks.saved) hooks.saved(epochs_);
  }
}

void or_last_good(const io::CheckpointPair& checkpoints, const std::string& option,
                  const std::function<void()>& work) {
  try {
    work();
  } catch (const nas::Diverged& diverged) {
    const std::optional<std::string> newest = checkpoints.newest();
    fail("training", "{}; {}; lower {} and start anew with another --out", diverged.description(),
         newest ? "the last good checkpoint is " + *newest : "no checkpoint was saved before", option);
  }
}

}  // namespace adwp::apps
