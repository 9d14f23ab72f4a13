#include "nas/training/trainer.h"

#include <cmath>

namespace adwp::nas {

LossLog::LossLog(Arena& arena) : losses_(arena, Shape{window}) {}

void LossLog::add(const Tensor& loss, std::function<std::string()> what) {
  const std::int64_t slot = std::ssize(pending_);
  losses_.view(slot, Shape{1}).copy_from(loss);
  pending_.push_back(std::move(what));
  if (slot + 1 == window) read();
}

double LossLog::mean() {
  read();
  const double mean = count_ == 0 ? 0 : sum_ / count_;
  sum_ = 0;
  count_ = 0;
  return mean;
}

double LossLog::sum() {
  read();
  return sum_;
}

void LossLog::go_on(double sum, std::int64_t count) {
  pending_.clear();
  sum_ = sum;
  count_ = count;
}

std::optional<double> LossLog::mean_so_far() const {
  return count_ == 0 ? std::nullopt : std::optional(sum_ / count_);
}

void LossLog::read() {
  if (pending_.empty()) return;
  const std::int64_t count = std::ssize(pending_);
  const std::vector<float> losses = losses_.view(0, Shape{count}).to_host<float>();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) {
      throw Diverged(fmt::format("the loss is {} at {}", losses[i], pending_[i]()));
    }
    sum_ += losses[i];
  }
  count_ += count;
  pending_.clear();
}

void EpochPosition::write(std::map<std::string, std::string>& facts) const {
  facts["batches"] = std::to_string(batches);
  facts["loss_sum"] = fmt::format("{}", loss_sum);  // the shortest text that reads back to the same bits
}

EpochPosition EpochPosition::read(const std::map<std::string, std::string>& facts) {
  if (!facts.contains("batches")) return {};
  return {std::stoll(facts.at("batches")), std::stod(facts.at("loss_sum"))};
}

double Trainer::run_epoch(std::int64_t epoch, const std::function<void(double)>& progress,
                          const EpochPosition& from) {
  const std::int64_t batches = steps_per_epoch();
  require(from.batches >= 0 && from.batches <= batches, "training",
          "no such batch to go on from, got {}, expected 0 to {}", from.batches, batches);
  losses().go_on(from.loss_sum, from.batches * losses_per_batch());
  run_batches(epoch, from.batches, [&](std::int64_t done) {
    batches_done_ = done;
    if (progress) progress(1.0 * done / batches);
  });
  return losses().mean();
}

}  // namespace adwp::nas
