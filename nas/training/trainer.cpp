#include "nas/training/trainer.h"

#include <fmt/ranges.h>

#include <cmath>
#include <sstream>

namespace adwp::nas {

LossLog::LossLog(Arena& arena, std::int64_t kinds)
    : kinds_(kinds), losses_(arena, Shape{window, kinds}), sums_(kinds) {}

void LossLog::add(const Tensor& losses, std::function<std::string()> what) {
  const std::int64_t slot = std::ssize(pending_);
  losses_.view(slot * kinds_, Shape{kinds_}).copy_from(losses);
  pending_.push_back(std::move(what));
  if (slot + 1 == window) read();
}

std::vector<double> LossLog::means() {
  std::vector<double> means = sums();
  if (count_ > 0) {
    for (double& mean : means) mean /= count_;
  }
  go_on({}, 0);
  return means;
}

std::vector<double> LossLog::sums() {
  read();
  return sums_;
}

void LossLog::go_on(std::vector<double> sums, std::int64_t count) {
  pending_.clear();
  sums_ = std::move(sums);
  sums_.resize(kinds_);
  count_ = count;
}

std::optional<double> LossLog::mean_so_far() const {
  return count_ == 0 ? std::nullopt : std::optional(sums_.front() / count_);
}

void LossLog::read() {
  if (pending_.empty()) return;
  const std::int64_t count = std::ssize(pending_);
  const std::vector<float> losses = losses_.view(0, Shape{count * kinds_}).to_host<float>();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) {
      throw Diverged(fmt::format("the loss is {} at {}", losses[i], pending_[i / kinds_]()));
    }
    sums_[i % kinds_] += losses[i];
  }
  count_ += count;
  pending_.clear();
}

void EpochPosition::write(std::map<std::string, std::string>& facts) const {
  facts["batches"] = std::to_string(batches);
  // The shortest texts that read back to the same bits.
  facts["loss_sum"] = fmt::format("{}", fmt::join(loss_sums, " "));
}

EpochPosition EpochPosition::read(const std::map<std::string, std::string>& facts) {
  if (!facts.contains("batches")) return {};
  EpochPosition position{.batches = std::stoll(facts.at("batches"))};
  std::istringstream sums(facts.at("loss_sum"));
  for (std::string sum; sums >> sum;) position.loss_sums.push_back(std::stod(sum));
  return position;
}

double Trainer::run_epoch(std::int64_t epoch, const std::function<void(double)>& progress,
                          const EpochPosition& from) {
  const std::int64_t batches = steps_per_epoch();
  require(from.batches >= 0 && from.batches <= batches, "training",
          "no such batch to go on from, got {}, expected 0 to {}", from.batches, batches);
  losses().go_on(from.loss_sums, from.batches * losses_per_batch());
  run_batches(epoch, from.batches, [&](std::int64_t done) {
    batches_done_ = done;
    if (progress) progress(1.0 * done / batches);
  });
  epoch_losses_ = losses().means();
  return epoch_losses_.front();
}

}  // namespace adwp::nas
