#include "apps/search/hyper_jobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/resumable_training.h"
#include "apps/search/messages.h"
#include "framework/io/checkpoint.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Member train_member(SearchSetup& setup, RunLog& log, const fs::path& checkpoint, int member,
                    std::int64_t epochs, const MemberHooks& hooks) {
  setup.arena->forget_peak();  // the checkpoint tells the peak of this member, whatever its rank did before
  // The optimizer's state goes back to the arena when this member is trained.
  nas::HyperTrainer trainer(setup.backend, *setup.arena, *setup.sources[member], setup.space, setup.task,
                            setup.train, setup.data.norm,
                            setup.options.hyper_training(setup.task, epochs, member));
  ResumableTraining training(trainer, log,
                             {.checkpoint = checkpoint,
                              .epochs = epochs,
                              .resumed = "resumed HyperNetwork training",
                              .learning_rate = "--hyper-lr"});
  Member result{.images_seen = epochs * trainer.images_per_epoch()};
  // The peak stands in the checkpoint because the store may be lost.
  if (training.loaded()) {
    result.loss = std::stod(training.loaded()->at("loss"));
    result.arena_peak = std::stoll(training.loaded()->at("arena_peak"));
  }
  training.run({.facts =
                    [&] {
                      hooks.spend();
                      result.arena_peak = std::max<std::int64_t>(result.arena_peak, setup.arena->peak());
                      return ResumableTraining::Facts{{"loss", fmt::format("{}", result.loss)},
                                                      {"arena_peak", std::to_string(result.arena_peak)}};
                    },
                .show = hooks.show,
                .record =
                    [&](std::int64_t done, double loss) {
                      result.loss = loss;
                      hooks.record(done, loss);
                    },
                .saved = [&](std::int64_t done) { hooks.saved(done, result.loss); }});
  return result;
}

std::string member_result(const SearchSetup& setup, int member, const Member& trained) {
  const std::vector<float> values = setup.sources[member]->parameters().values().to_host<float>();
  return packed({{"loss", trained.loss}, {"peak", trained.arena_peak}, {"images_seen", trained.images_seen}},
                {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

void take_weights(SearchSetup& setup, int member, const std::string& weights) {
  const Tensor values = setup.sources.at(member)->parameters().values();
  require(weights.size() == values.bytes(), "ranks", "weights differ, got {} bytes, expected {}",
          weights.size(), values.bytes());
  values.copy_from_host(
      std::span(reinterpret_cast<const float*>(weights.data()), static_cast<std::size_t>(values.elements())));
}

namespace {

// Whole epochs that a member's checkpoint holds.
double epochs_in(const fs::path& checkpoint) {
  const auto newest = io::read_newest(checkpoint.string(), [](const std::string&, const Error&) {});
  if (!newest || !newest->file.metadata.contains("epochs")) return 0;
  return std::atof(newest->file.metadata.at("epochs").c_str());
}

}  // namespace

Members::Members(SearchSetup& setup, Ledger& ledger, double cost,
                 std::function<void(int, const Member&)> done)
    : setup_(setup), ledger_(ledger), done_(std::move(done)) {
  if (setup.extent.hyper_epochs == 0) return;
  batch_.costs.assign(setup.sources.size(), cost);
  for (int member = 0; member < std::ssize(setup.sources); ++member) {
    epochs_.push_back(epochs_in(checkpoint(member)));
  }
  batch_.work = [this](std::size_t member) {
    const fs::path path = checkpoint(member);
    return packed({{"do", "member"},
                   {"member", member},
                   {"epochs", setup_.extent.hyper_epochs},
                   {"checkpoint", path.string()}},
                  stored_checkpoint(path, ledger_.log));
  };
  batch_.here = [this](std::size_t member) { return here(member); };
  batch_.note = [this](std::size_t member, const std::string& bytes) { note(member, bytes); };
  batch_.done = [this](std::size_t member, const std::string& result) { finish(member, result); };
  ledger_.log.progress.begin("HyperNetwork", setup.sources.size() * setup.extent.hyper_epochs, "epochs",
                             epochs());
}

fs::path Members::checkpoint(int member) const {
  const std::string name =
      member == 0 ? "hypernetwork.safetensors" : fmt::format("hypernetwork-{}.safetensors", member + 1);
  return ledger_.directory.checkpoints() / name;
}

double Members::epochs() const { return std::accumulate(epochs_.begin(), epochs_.end(), 0.0); }

std::string Members::here(int member) {
  const auto spend = [&] { ledger_.store.spend(nas::Phase::hypernetwork, ledger_.lap()); };
  spend();  // with the peak so far
  const Member trained =
      train_member(setup_, ledger_.log, checkpoint(member), member, setup_.extent.hyper_epochs,
                   {.spend = spend,
                    .show =
                        [&](double done, std::optional<double> loss) {
                          show(member, done, loss);
                          ledger_.jobs.poll();
                        },
                    .record = [&](std::int64_t done, double loss) { record(member, done, loss); },
                    .saved = [&](std::int64_t done, double loss) { saved(member, done, loss); }});
  return member_result(setup_, member, trained);
}

void Members::note(int member, const std::string& bytes) {
  const auto [progress, saved_as] = unpacked(bytes);
  const std::optional<double> loss =
      progress.at("loss").is_null() ? std::nullopt : std::optional<double>(progress.at("loss"));
  if (saved_as.empty()) return show(member, progress.at("epochs"), loss);
  record(member, progress.at("epochs"), *loss);
  ledger_.store.spend(nas::Phase::hypernetwork, ledger_.lap());
  io::keep_checkpoint(checkpoint(member).string(), saved_as);
  saved(member, progress.at("epochs"), *loss);
}

void Members::finish(int member, const std::string& result) {
  const auto [json, weights] = unpacked(result);
  take_weights(setup_, member, weights);
  ledger_.jobs.tell_all(packed({{"member", member}}, weights));
  ledger_.note_peak(json.at("peak"));
  if (member + 1 == std::ssize(setup_.sources)) ledger_.log.progress.end();
  done_(member,
        {.loss = json.at("loss"), .arena_peak = json.at("peak"), .images_seen = json.at("images_seen")});
}

void Members::show(int member, double epochs_done, std::optional<double> loss) {
  epochs_[member] = epochs_done;
  ledger_.log.progress.update(epochs(), loss ? fmt::format("loss {:.3f}", *loss) : "");
}

// Epochs are counted over all members, in their order.
void Members::record(int member, std::int64_t epochs_done, double loss) {
  const std::int64_t number = member * setup_.extent.hyper_epochs + epochs_done;
  ledger_.log.scalars(number, {{"hypernetwork/loss", loss}});
  ledger_.log.json.write("hypernetwork", {{"epoch", number}, {"loss", loss}});
}

void Members::saved(int member, std::int64_t epochs_done, double loss) {
  epochs_[member] = epochs_done;
  ledger_.log.progress.milestone(epochs(), fmt::format("loss {:.3f}", loss));
}

}  // namespace adwp::apps
