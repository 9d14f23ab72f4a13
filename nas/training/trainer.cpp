#include "nas/training/trainer.h"

namespace adwp::nas {

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
