// Which networks the ranking study ranks, and how good they are in truth.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "bench/ranking/study.h"
#include "nas/training/network_trainer.h"

namespace adwp::bench {
namespace {

using nlohmann::json;

constexpr double band_width = 0.12;                             // of the median, to either side
constexpr std::uint64_t first_number = std::uint64_t{1} << 40;  // far from those a training step draws

json to_json(const nas::Score& score) { return {{"loss", score.loss}, {"accuracy", score.accuracy}}; }

// Draws architectures of the space, one after the other.
class Draw {
 public:
  explicit Draw(const Study& study) : study_(study) {}
  nas::NetworkPlan operator()() {
    Random random(study_.options.seed, Purpose::architecture, number_++);
    return nas::plan_network(study_.space.sample(random), study_.task);
  }

 private:
  const Study& study_;
  std::uint64_t number_ = first_number;
};

}  // namespace

void draw_networks(const Study& study) {
  Rows rows(study.options.networks);
  std::int64_t number = 0;
  auto keep = [&](const nas::NetworkPlan& plan, const char* group) {
    const json key{{"network", number++}};
    if (rows.contains(key)) return;
    json row = key;
    row.update({{"group", group},
                {"params", plan.parameters()},
                {"macs", plan.macs()},
                {"architecture", json::parse(plan.architecture.to_json())}});
    rows.append(row);
  };
  Draw draw(study);
  for (std::int64_t i = 0; i < study.options.uniform; ++i) keep(draw(), "uniform");
  std::vector<std::int64_t> macs;
  for (int i = 0; i < 2001; ++i) macs.push_back(draw().macs());
  std::nth_element(macs.begin(), macs.begin() + 1000, macs.end());
  const double median = macs[1000];
  for (std::int64_t found = 0; found < study.options.band;) {
    const nas::NetworkPlan plan = draw();
    if (std::abs(plan.macs() / median - 1) > band_width) continue;
    keep(plan, "band");
    ++found;
  }
}

void train_networks(Study& study) {
  const StudyOptions& options = study.options;
  const std::vector<nas::NetworkPlan> networks = study.networks();
  Rows rows(options.rows);
  for (const std::int64_t seed : options.seeds) {
    for (std::size_t i = options.part; i < networks.size(); i += options.parts) {
      for (const std::int64_t epochs : options.epochs) {
        json row{{"network", i}, {"epochs", epochs}, {"seed", seed}};
        if (rows.contains(row)) continue;
        const Arena::Frame frame(study.arena);
        const auto start = std::chrono::steady_clock::now();
        nas::NetworkTrainer trainer(study.backend, study.arena, networks[i], study.train, study.data.norm,
                                    {.epochs = epochs,
                                     .batch = options.batch,
                                     .learning_rate = static_cast<float>(options.lr),
                                     .augmentation = study.augmentation(),
                                     .seed = static_cast<std::uint64_t>(seed)});
        double loss = 0;
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch) loss = trainer.run_epoch(epoch);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        row.update({{"train_loss", loss},
                    {"validation", to_json(trainer.evaluate(study.validation, Study::evaluation_batch))},
                    {"test", to_json(trainer.evaluate(study.test, Study::evaluation_batch))},
                    {"seconds", seconds.count()}});
        rows.append(row);
      }
    }
  }
}

}  // namespace adwp::bench
