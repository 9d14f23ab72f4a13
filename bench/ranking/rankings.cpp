// What ranks the networks of the ranking study, and how: the truth, what is free, weight sources, short
// training, and the score fitted to them.
#include <algorithm>
#include <map>

#include "bench/ranking/study.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "nas/score/score_model.h"
#include "nas/score/structure.h"

namespace adwp::bench {
namespace {

using nlohmann::json;

// Numbers of networks, one each; more is better.
struct Ranking {
  std::string name;
  std::vector<double> scores;
};

// Whether two weight sources differ in their seed only.
bool same_kind(json a, json b) {
  for (json* row : {&a, &b}) {
    for (const char* result : {"seed", "loss", "accuracy", "train_loss", "seconds"}) row->erase(result);
  }
  return a == b;
}

// A weight source by what distinguishes it: "residual, 120 epochs"; what is not as by default is named.
std::string kind_of(const json& row) {
  const StudyOptions usual;
  std::string text = fmt::format("{}, {} epochs", row.at("weights").get<std::string>(),
                                 row.at("epochs").get<std::int64_t>());
  auto name = [&](const char* key, double expected) {
    if (const double value = row.at(key); value != expected) text += fmt::format(", {} {}", key, value);
  };
  name("lr", usual.hyper_lr);
  name("growth", usual.growth);
  name("width", usual.hyper_width);
  name("shared_start", usual.shared_start);
  name("change_start", usual.change_start);
  name("images", usual.images.front());
  return text + (row.at("lazy") == true ? "" : ", eager");
}

std::vector<double> standardised(std::vector<double> values) {
  const double centre = nas::mean(values), deviation = nas::standard_deviation(values);
  for (double& value : values) value = (value - centre) / deviation;
  return values;
}

class Table {
 public:
  explicit Table(const StudyOptions& options) {
    take_truth(read_rows(options.truth));
    for (const json& row : read_rows(options.networks)) {
      if (!truth_.contains(row.at("network"))) continue;
      const nas::Architecture architecture = nas::Architecture::from_json(row.at("architecture").dump());
      structure_.push_back(nas::structure_features(architecture, row.at("params"), row.at("macs")));
      numbers_.push_back(row.at("network"));
      groups_.push_back(row.at("group"));
      params_.push_back(row.at("params"));
      macs_.push_back(row.at("macs"));
      trained_.push_back(truth_.at(row.at("network")));
    }
    require(!numbers_.empty(), "study", "no network of '{}' is trained; the part `truth` trains them",
            options.networks);
  }

  // Each weight source and short training by itself, and with structure in the score.
  json rows(std::vector<json> sources) {
    add("truth", trained_);
    add("parameters", params_);
    add("MACs", macs_);
    rank_by_fit("structure", {});
    for (const auto& [seed, losses] : one_epoch_) {
      rank_by_loss(fmt::format("one epoch of SGD, its loss (seed {})", seed), of_trained(losses));
    }
    std::erase_if(sources, [](const json& row) { return row.at("epoch") != row.at("epochs"); });  // half way
    for (const json& row : sources) {
      rank_by_loss(fmt::format("{}, seed {}", kind_of(row), row.at("seed").get<int>()),
                   of_trained(row.at("loss")));
    }
    add_means(sources);
    return result_;
  }

 private:
  void take_truth(const std::vector<json>& rows) {
    std::int64_t longest = 0;
    for (const json& row : rows) longest = std::max(longest, row.at("epochs").get<std::int64_t>());
    std::map<std::size_t, std::vector<double>> accuracies;
    for (const json& row : rows) {
      const std::size_t network = row.at("network");
      if (row.at("epochs") == longest) accuracies[network].push_back(row.at("test").at("accuracy"));
      if (row.at("epochs") == 1) one_epoch_[row.at("seed")][network] = row.at("validation").at("loss");
    }
    for (const auto& [network, found] : accuracies) truth_[network] = nas::mean(found);
  }

  // Of all networks, those that are trained.
  template <typename Values>
  std::vector<double> of_trained(const Values& all) const {
    std::vector<double> chosen;
    for (const std::size_t number : numbers_) chosen.push_back(all.at(number));
    return chosen;
  }

  void add(const std::string& name, std::vector<double> scores) {
    result_.push_back({{"ranking", name}, {"networks", numbers_}, {"groups", groups_}, {"score", scores}});
  }

  // The score as a search fits it, each network by a fit to all the others.
  void rank_by_fit(const std::string& name, const std::vector<std::vector<double>>& losses) {
    std::vector<nas::Evidence> networks;
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      networks.push_back({.structure = structure_[i], .losses = {}});
      for (const std::vector<double>& source : losses) networks.back().losses.push_back(source[i]);
    }
    add(name, nas::leave_one_out(networks, trained_));
  }

  void rank_by_loss(const std::string& name, const std::vector<double>& losses) {
    std::vector<double> scores;
    for (const double loss : losses) scores.push_back(-loss);
    add(name, scores);
    rank_by_fit("structure + " + name, {losses});
  }

  // All seeds of one kind, averaged.
  void add_means(std::vector<json> sources) {
    while (!sources.empty()) {
      const json first = sources.front();
      std::vector<double> mean(numbers_.size(), 0.0);
      int seeds = 0;
      for (const json& row : sources) {
        if (!same_kind(row, first)) continue;
        const std::vector<double> losses = standardised(of_trained(row.at("loss")));
        for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += losses[i];
        ++seeds;
      }
      std::erase_if(sources, [&](const json& row) { return same_kind(row, first); });
      if (seeds > 1) rank_by_loss(fmt::format("{}, mean of {} seeds", kind_of(first), seeds), mean);
    }
  }

  std::map<std::size_t, double> truth_;                              // by network
  std::map<std::int64_t, std::map<std::size_t, double>> one_epoch_;  // by seed and network
  std::vector<std::size_t> numbers_;                                 // of the networks that are trained
  std::vector<std::string> groups_;
  std::vector<std::vector<double>> structure_;
  std::vector<double> params_, macs_, trained_;
  json result_;
};

}  // namespace

void rank_networks(const StudyOptions& options) {
  std::string text;
  for (const json& row : Table(options).rows(read_rows(options.scores))) text += row.dump() + "\n";
  io::write_atomically(options.rows, text);
}

}  // namespace adwp::bench
