#include "nas/training/epoch_position.h"

#include <fmt/core.h>

namespace adwp::nas {

void EpochPosition::write(std::map<std::string, std::string>& facts) const {
  facts["batches"] = std::to_string(batches);
  facts["loss_sum"] = fmt::format("{}", loss_sum);  // the shortest text that comes back to the same bits
}

EpochPosition EpochPosition::read(const std::map<std::string, std::string>& facts) {
  if (!facts.contains("batches")) return {};
  return {std::stoll(facts.at("batches")), std::stod(facts.at("loss_sum"))};
}

std::string EpochPosition::after(std::int64_t epochs) const {
  return fmt::format("epoch {}", epochs) + (batches > 0 ? fmt::format(", batch {}", batches) : "");
}

}  // namespace adwp::nas
