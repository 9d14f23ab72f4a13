// How well do predicted weights rank networks, and what else would rank them as well?
//
//   ranking_study --data SPEC --space FILE --out FILE.json [--hyper-epochs N] [--hyper-width N]
//                 [--hyper-lr X] [--networks N] [--band N] [--epochs N] [--seed N]
//
// Draws random networks of the space and, as a second group, networks whose multiply-accumulates lie
// within 12 % of the space's median: there size says nothing. Trains each from scratch twice with
// different seeds and once for one epoch; trains a HyperNetwork and shared weights on equally many
// images; and compares every ranking with the accuracy of the first training. Prints the tables as
// Markdown; all figures by network go to the JSON file. bench/ranking/run.sh made those of
// docs/results/ranking.md.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/common/main.h"
#include "bench/command_line.h"
#include "framework/io/atomic_file.h"
#include "nas/score/rank_agreement.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/parameter_weights.h"

namespace {

using namespace adwp;
using Clock = std::chrono::steady_clock;

constexpr double band_width = 0.12;
constexpr std::int64_t evaluation_batch = 500;

struct Options : bench::DeviceOptions {
  std::string data, space = "tiny", out;
  std::int64_t hyper_epochs = 100, networks = 40, band = 36, epochs = 8, batch = 64;
  std::uint64_t seed = 0;
  int hyper_width = 128;
  double validation = 1.0 / 3, lr = 0.1, hyper_lr = 3e-3;
};

struct Network {
  nas::NetworkPlan plan;
  bool in_band = false;
  double trained = 0, other_seed = 0, one_epoch = 0;  // accuracy on the validation split
  nas::Score predicted, shared;
};

class Study {
 public:
  Study(const Options& options, Backend& backend)
      : options_(options),
        backend_(backend),
        arena_(backend, std::size_t{3} << 30),
        space_(nas::SearchSpace::open(options.space)),
        data_(
            data::load_training_data(data::parse_data_spec(options.data), options.seed, options.validation)),
        task_{data_.train.height, data_.train.channels, static_cast<std::int64_t>(data_.classes.size())},
        train_(data::DeviceImages::upload(arena_, data_.train)),
        validation_(data::DeviceImages::upload(arena_, data_.validation)) {}

  void run() {
    draw_networks();
    const double predicting = learn("HyperNetwork", &Network::predicted, [&] {
      return nas::HyperNetwork(arena_, space_, task_, {.width = options_.hyper_width}, options_.seed);
    });
    const double sharing = learn("shared weights", &Network::shared,
                                 [&] { return nas::SharedWeights(arena_, space_, task_, options_.seed); });
    const auto start = Clock::now();
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      Network& n = networks_[i];
      n.trained = train(n.plan, options_.epochs, options_.seed + 101);
      n.other_seed = train(n.plan, options_.epochs, options_.seed + 202);
      n.one_epoch = train(n.plan, 1, options_.seed + 303);
      fmt::print(stderr,
                 "network {} of {}: trained {:.3f} and {:.3f}, one epoch {:.3f}, predicted "
                 "{:.3f}, shared {:.3f}\n",
                 i + 1, networks_.size(), n.trained, n.other_seed, n.one_epoch, n.predicted.accuracy,
                 n.shared.accuracy);
    }
    fmt::print(
        "Device {} ({}); {}: {} training and {} validation images of {} x {}; space `{}` "
        "({:.1e} architectures); {} epochs of truth; {} images seen by the HyperNetwork ({:.0f} "
        "s) and by shared weights ({:.0f} s); truth took {:.0f} s.\n",
        backend_.name(), backend_.description(), data_.name, data_.train.count(), data_.validation.count(),
        task_.image_size, task_.image_size, space_.name, space_.size(), options_.epochs, images_seen_,
        predicting, sharing, std::chrono::duration<double>(Clock::now() - start).count());
    print_group(false, "Over the whole space");
    print_group(true, "Within a band of equal multiply-accumulates (+-12 %)");
    io::write_atomically(options_.out, to_json().dump(1) + "\n");
  }

 private:
  void draw_networks() {
    std::uint64_t number = std::uint64_t{1} << 40;  // far from those a training step draws
    auto draw = [&] {
      Random random(options_.seed, Purpose::architecture, number++);
      return nas::plan_network(space_.sample(random), task_);
    };
    for (std::int64_t i = 0; i < options_.networks; ++i) networks_.push_back({draw()});
    std::vector<std::int64_t> macs;
    for (int i = 0; i < 2001; ++i) macs.push_back(draw().macs());
    std::nth_element(macs.begin(), macs.begin() + 1000, macs.end());
    const auto middle = static_cast<double>(macs[1000]);
    for (std::int64_t found = 0; found < options_.band;) {
      nas::NetworkPlan plan = draw();
      if (std::abs(static_cast<double>(plan.macs()) / middle - 1) > band_width) continue;
      networks_.push_back({std::move(plan), true});
      ++found;
    }
  }

  double train(const nas::NetworkPlan& plan, std::int64_t epochs, std::uint64_t seed) {
    const Arena::Frame frame(arena_);
    nas::NetworkTrainer trainer(backend_, arena_, plan, train_, data_.norm,
                                {.epochs = epochs,
                                 .batch = options_.batch,
                                 .learning_rate = static_cast<float>(options_.lr),
                                 .augmentation = augmentation(),
                                 .seed = seed});
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) trainer.run_epoch(epoch);
    return trainer.evaluate(validation_, evaluation_batch).accuracy;
  }

  // Trains a weight source that `make` makes, scores all networks with it; seconds.
  template <typename Make>
  double learn(const char* name, nas::Score Network::*score, Make&& make) {
    const Arena::Frame frame(arena_);
    const auto start = Clock::now();
    auto source = make();
    nas::HyperTrainer trainer(backend_, arena_, source, space_, task_, train_, data_.norm,
                              {.epochs = options_.hyper_epochs,
                               .batch = options_.batch,
                               .learning_rate = static_cast<float>(options_.hyper_lr),
                               .augmentation = augmentation(),
                               .seed = options_.seed});
    for (std::int64_t epoch = 0; epoch < options_.hyper_epochs; ++epoch) {
      const double loss = trainer.run_epoch(epoch);
      fmt::print(stderr, "{} epoch {}: loss {:.3f}\n", name, epoch + 1, loss);
    }
    images_seen_ = options_.hyper_epochs * trainer.images_per_epoch();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    nas::Evaluator evaluator(backend_, arena_, validation_, data_.norm, evaluation_batch, 1);
    for (Network& n : networks_) {
      n.*score = evaluator.evaluate(source, std::span(&n.plan, 1)).front();
    }
    return seconds;
  }

  Augmentation augmentation() const { return {.shift = task_.image_size / 8, .flip = true}; }

  std::vector<nas::Measured> measured(bool in_band, nas::Score Network::*score) const {
    std::vector<nas::Measured> rows;
    for (const Network& n : networks_) {
      if (n.in_band != in_band) continue;
      rows.push_back(
          {n.plan.parameters(), n.plan.macs(), (n.*score).loss, (n.*score).accuracy, n.trained, n.one_epoch});
    }
    return rows;
  }

  void print_group(bool in_band, const char* title) const {
    const auto predicted = measured(in_band, &Network::predicted);
    const auto shared = measured(in_band, &Network::shared);
    auto by_seed = predicted;  // the other seed in the place of the prediction
    std::size_t row = 0;
    for (const Network& n : networks_) {
      if (n.in_band == in_band) by_seed[row++].predicted_accuracy = n.other_seed;
    }
    std::vector<double> trained;
    for (const nas::Measured& m : predicted) trained.push_back(m.trained_accuracy);
    const nas::RankAgreement main = nas::rank_agreement(predicted, options_.seed);
    const nas::RankAgreement sliced = nas::rank_agreement(shared, options_.seed);
    const nas::RankAgreement ceiling = nas::rank_agreement(by_seed, options_.seed);
    fmt::print(
        "\n## {}\n\n{} networks. Accuracy: trained {:.3f} (standard deviation {:.3f}), predicted "
        "{:.3f}, shared {:.3f}.\n\n",
        title, main.sample, main.mean_trained, nas::standard_deviation(trained), main.mean_predicted,
        sliced.mean_predicted);
    fmt::print("| ranking by | Kendall τ (95 %) | Spearman ρ (95 %) |\n|---|---|---|\n");
    for (const nas::Agreement& a : main.rankings) print_row(a.ranking, a);
    print_row("shared weights: loss", sliced.of(nas::by_loss));
    print_row("shared weights: accuracy", sliced.of(nas::by_accuracy));
    print_row("fit on size and shared loss", sliced.of(nas::by_calibrated_fit));
    print_row("another seed's training", ceiling.of(nas::by_accuracy));
  }

  static void print_row(const std::string& name, const nas::Agreement& agreement) {
    auto cell = [](const std::optional<nas::Estimate>& e) {
      return e ? fmt::format("{:.2f} ({:.2f} to {:.2f})", e->value, e->low, e->high) : "–";
    };
    fmt::print("| {} | {} | {} |\n", name, cell(agreement.kendall_tau), cell(agreement.spearman_rho));
  }

  nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Network& n : networks_) {
      rows.push_back({{"architecture", nlohmann::ordered_json::parse(n.plan.architecture.to_json())},
                      {"in_band", n.in_band},
                      {"params", n.plan.parameters()},
                      {"macs", n.plan.macs()},
                      {"trained_accuracy", n.trained},
                      {"other_seed_accuracy", n.other_seed},
                      {"one_epoch_accuracy", n.one_epoch},
                      {"predicted_loss", n.predicted.loss},
                      {"predicted_accuracy", n.predicted.accuracy},
                      {"shared_loss", n.shared.loss},
                      {"shared_accuracy", n.shared.accuracy}});
    }
    return {{"data", data_.name},
            {"space", space_.name},
            {"seed", options_.seed},
            {"images_seen", images_seen_},
            {"networks", rows}};
  }

  const Options& options_;
  Backend& backend_;
  Arena arena_;
  nas::SearchSpace space_;
  data::TrainingData data_;
  nas::Task task_;
  data::DeviceImages train_, validation_;
  std::vector<Network> networks_;
  std::int64_t images_seen_ = 0;
};

void run(int argc, char** argv) {
  Options o;
  CLI::App app("Measures how well predicted weights rank networks.");
  bench::declare(app, o);
  app.add_option("--data", o.data)->required();
  app.add_option("--space", o.space);
  app.add_option("--out", o.out)->required();
  app.add_option("--hyper-epochs", o.hyper_epochs)->check(CLI::Range(1, 100000));
  app.add_option("--hyper-width", o.hyper_width)->check(CLI::Range(8, 4096));
  app.add_option("--hyper-lr", o.hyper_lr)->check(CLI::Range(1e-6, 1.0));
  app.add_option("--networks", o.networks)->check(CLI::Range(3, 10000));
  app.add_option("--band", o.band)->check(CLI::Range(3, 10000));
  app.add_option("--epochs", o.epochs)->check(CLI::Range(1, 10000));
  app.add_option("--batch", o.batch)->check(CLI::Range(2, 4096));
  app.add_option("--validation", o.validation)->check(CLI::Range(0.01, 0.9));
  app.add_option("--lr", o.lr)->check(CLI::Range(1e-5, 10.0));
  app.add_option("--seed", o.seed);
  if (!bench::parse(app, argc, argv)) return;
  const std::unique_ptr<Backend> backend = bench::open(o);
  Study(o, *backend).run();
}

}  // namespace

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, run); }
