#include "apps/train/train_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/common/devices.h"
#include "apps/report/report.h"
#include "framework/io/atomic_file.h"
#include "framework/version.h"
#include "nas/network/inference.h"
#include "nas/network/stored_network.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

Json result_of(const TrainSetup& setup, const TrainOutcome& outcome, const data::ImageSet& test) {
  Json result;
  result["version"] = version;
  result["device"] = full_name(setup.backend);
  result["dataset"] = {{"name", setup.data.name},
                       {"train", setup.data.train.count()},
                       {"validation", setup.data.validation.count()},
                       {"test", test.count()},
                       {"classes", setup.data.classes.size()},
                       {"image", {test.height, test.width, test.channels}}};
  result["seed"] = setup.options.seed;
  result["architecture"] = Json::parse(setup.plan.architecture.to_json());
  result["params"] = setup.plan.parameters();
  result["macs"] = setup.plan.macs();
  result["epochs"] = setup.options.recipe.epochs;
  result["seconds"] = outcome.seconds;
  result["images_per_second"] = outcome.images_per_second;
  result["train_loss"] = outcome.loss;
  result["validation_accuracy"] = outcome.validation.accuracy;
  result["test_accuracy"] = outcome.test.accuracy;
  result["test_error"] = 1.0 - outcome.test.accuracy;
  if (outcome.flipped_test) {
    result["test_flip"] = {{"test_accuracy", *outcome.flipped_test},
                           {"test_error", 1.0 - *outcome.flipped_test}};
  }
  if (outcome.raw_test) {
    result["weights"] = "averaged";
    result["raw"] = {{"validation_accuracy", outcome.raw_validation->accuracy},
                     {"test_accuracy", outcome.raw_test->accuracy},
                     {"test_error", 1.0 - outcome.raw_test->accuracy}};
  }
  if (outcome.hosts.size() > 1) result["ranks"] = {{"hosts", outcome.hosts}};
  result["arena"] = {{"bytes", setup.arena->size()}, {"peak_bytes", outcome.arena_peak}};
  return result;
}

double accuracy_of(std::span<const float> logits, const data::ImageSet& test) {
  const std::int64_t classes = std::ssize(logits) / test.count();
  std::int64_t hits = 0;
  for (std::int64_t i = 0; i < test.count(); ++i) {
    const auto row = logits.subspan(i * classes, classes);
    if (std::max_element(row.begin(), row.end()) - row.begin() == test.labels[i]) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(test.count());
}

}  // namespace

std::optional<double> write_test_outcome(const TrainSetup& setup, const data::ImageSet& test,
                                         const RunDirectory& directory) {
  nas::Inference inference(setup.backend, nas::StoredNetwork::load(directory.network().string()),
                           std::min(setup.options.evaluation_batch, test.count()));
  const Json outcome = test_outcome(test, inference.logits(test), setup.data.classes);
  // Names of folders need not be UTF-8.
  io::write_atomically((directory.path() / "test.json").string(),
                       outcome.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (!setup.options.recipe.test_flip) return std::nullopt;
  return accuracy_of(inference.logits(test, nas::Inference::Views::mirrored_too), test);
}

void write_results(const TrainSetup& setup, const TrainOutcome& outcome, const data::ImageSet& test,
                   const RunDirectory& directory) {
  io::write_atomically(directory.result().string(), result_of(setup, outcome, test).dump(2) + "\n");
  write_report(directory.path());
}

std::string summary_of(const TrainOptions& options, const TrainOutcome& outcome,
                       const RunDirectory& directory) {
  return fmt::format(
      "test accuracy {:.4f}{} after {} epochs ({:.0f} images a second)\nresult     {}\nreport     {}\n"
      "checkpoint {}\n",
      outcome.test.accuracy,
      outcome.flipped_test ? fmt::format(" ({:.4f} with test-time flip)", *outcome.flipped_test) : "",
      options.recipe.epochs, outcome.images_per_second, directory.result().string(),
      directory.report().string(), directory.network().string());
}

}  // namespace adwp::apps
