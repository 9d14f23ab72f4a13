#include "apps/common/last_good.h"

#include "nas/training/loss_log.h"

namespace adwp::apps {

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
