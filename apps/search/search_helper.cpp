#include "apps/search/search_helper.h"

#include <nlohmann/json.hpp>

#include "apps/common/main.h"
#include "apps/search/hyper_jobs.h"
#include "apps/search/messages.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/temporary_directory.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

SearchHelper::SearchHelper(Backend& backend, const SearchOptions& options)
    : options_([&] {
        SearchOptions mine = options;  // what is measured is measured by rank 0
        mine.budget_minutes = mine.max_latency_us = 0;
        mine.latency = false;
        mine.latencies.clear();
        return mine;
      }()),
      silence_(true),
      setup_(backend, options_, std::nullopt, silence_) {}

void SearchHelper::run(parallel::Group& group) {
  worker_ = std::make_unique<parallel::Worker>(group);
  serve(*worker_, {.work = [&](const std::string& message) { return work(message); },
                   .told =
                       [&](const std::string& told) {
                         const auto [of, weights] = unpacked(told);
                         take_weights(setup_, of.at("member"), weights);
                       },
                   .waiting = [] { stop_if_interrupted(); }});
}

std::string SearchHelper::work(const std::string& message) {
  const auto [job, bytes] = unpacked(message);
  const std::string what = job.at("do");
  if (what == "member") {
    return in_folder(bytes, job.at("checkpoint").get<std::string>(), [&](const fs::path& checkpoint) {
      return train_weights(job.at("member"), job.at("epochs"), checkpoint);
    });
  }
  const auto network = nas::Architecture::from_json(job.at("architecture").dump());
  const nas::NetworkPlan plan = nas::plan_network(network, setup_.task);
  if (what == "predict") return predict(plan);
  return in_folder(bytes, job.at("checkpoint").get<std::string>(), [&](const fs::path& checkpoint) {
    return train({plan, job.at("schedule"), job.at("epochs"), job.at("seed")}, checkpoint);
  });
}

std::string SearchHelper::predict(const nas::NetworkPlan& plan) {
  worker_->poll();
  stop_if_interrupted();
  const nas::Score score = setup_.predict(std::span(&plan, 1), [](double) {}).front();
  return packed(outcome_json({score.accuracy, score.loss}, setup_.arena->peak()));
}

std::string SearchHelper::in_folder(const std::string& bytes, const fs::path& known_as,
                                    const std::function<std::string(const fs::path&)>& trains) {
  const io::TemporaryDirectory folder;
  const fs::path path = folder.path() / known_as.filename();
  if (!bytes.empty()) io::write_atomically(path.string(), bytes);
  try {
    return trains(path);
  } catch (const Error& error) {
    std::string what = error.what();  // names the checkpoint as rank 0 knows it
    if (const auto at = what.find(path.string()); at != what.npos) {
      what.replace(at, path.string().size(), known_as.string());
    }
    throw Error::of_message(error.fault(), what);
  }
}

std::string SearchHelper::train(const Training& training, const fs::path& checkpoint) {
  RunLog log("/dev/null", true);
  const auto saved = [&](double epochs) {
    worker_->note(packed({{"epochs", epochs}}, read_checkpoint_file(checkpoint)));
  };
  const nas::Trained trained = train_one(
      setup_, log, checkpoint, training, [] {},
      [&](double epochs) {
        worker_->poll();
        worker_->note(packed({{"epochs", epochs}}));
      },
      saved);
  return packed(outcome_json(trained, setup_.arena->peak()));
}

std::string SearchHelper::train_weights(int member, std::int64_t epochs, const fs::path& checkpoint) {
  RunLog log("/dev/null", true);
  const Member trained = train_member(
      setup_, log, checkpoint, member, epochs,
      {.spend = [] {},
       .show =
           [&](double done, std::optional<double> loss) {
             worker_->poll();
             worker_->note(packed({{"epochs", done}, {"loss", number_or_null(loss)}}));
           },
       .record = [](std::int64_t, double) {},
       .saved =
           [&](std::int64_t done, double loss) {
             worker_->note(packed({{"epochs", done}, {"loss", loss}}, read_checkpoint_file(checkpoint)));
           }});
  return member_result(setup_, member, trained);
}

}  // namespace adwp::apps
