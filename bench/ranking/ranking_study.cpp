// How well do scores rank networks? The study behind docs/results/ranking.md, in parts:
//
//   ranking_study networks ...   draws the networks that are ranked
//   ranking_study truth ...      trains them from scratch, for given epochs and seeds
//   ranking_study scores ...     trains a weight source, and scores them with it
//   ranking_study rankings ...   what ranks them, the score's leave-one-out fits among it
//
// The first three write rows as they come (rows.h) and, when started again, go on after those they find.
// bench/ranking/run.sh says which parts make the tables, and bench/ranking/tables.py makes them.
#include "apps/common/main.h"
#include "bench/ranking/study.h"
#include "data/test_split.h"

namespace adwp::bench {

Study::Study(const StudyOptions& o, Backend& device, bool with_test)
    : options(o),
      backend(device),
      arena(backend, std::size_t{3} << 30),
      space(nas::SearchSpace::open(options.space)),
      data(data::load_training_data(data::parse_data_spec(options.data), 0, options.validation)),
      task{data.train.height, data.train.channels, std::ssize(data.classes)},
      train(data::DeviceImages::upload(arena, data.train)),
      validation(data::DeviceImages::upload(arena, data.validation)) {
  if (!with_test) return;
  test = data::DeviceImages::upload(arena,
                                    data::load_test_split(data::parse_data_spec(options.data), data).images);
}

std::vector<nas::NetworkPlan> Study::networks() const {
  std::vector<nas::NetworkPlan> plans;
  for (const nlohmann::json& row : read_rows(options.networks)) {
    plans.push_back(nas::plan_network(nas::Architecture::from_json(row.at("architecture").dump()), task));
  }
  require(!plans.empty(), "study", "no networks in '{}'; the part `networks` draws them", options.networks);
  return plans;
}

namespace {

void declare_shared(CLI::App& app, StudyOptions& o) {
  declare(app, o);
  app.add_option("--data", o.data)->required();
  app.add_option("--space", o.space)->required();
  app.add_option("--networks", o.networks, "File of the networks")->required();
  app.add_option("--batch", o.batch)->check(CLI::Range(2, 4096));
  app.add_option("--validation", o.validation)->check(CLI::Range(0.01, 0.9));
  app.add_option("--seed", o.seed);
}

void run(int argc, char** argv) {
  StudyOptions o;
  CLI::App app("Measures how well scores rank networks.");
  app.require_subcommand(1);
  CLI::App& networks = *app.add_subcommand("networks", "Draw the networks");
  CLI::App& truth = *app.add_subcommand("truth", "Train them from scratch");
  CLI::App& scores = *app.add_subcommand("scores", "Score them with a weight source");
  CLI::App& rankings = *app.add_subcommand("rankings", "Rank them by all there is");
  for (CLI::App* part : {&networks, &truth, &scores}) declare_shared(*part, o);
  rankings.add_option("--networks", o.networks, "File of the networks")->required();
  rankings.add_option("--truth", o.truth, "Rows of the part truth")->required();
  rankings.add_option("--scores", o.scores, "Rows of the part scores")->required();
  for (CLI::App* part : {&truth, &scores, &rankings}) {
    part->add_option("--rows", o.rows, "File that gets the rows")->required();
  }
  networks.add_option("--uniform", o.uniform)->check(CLI::Range(0, 100000));
  networks.add_option("--band", o.band)->check(CLI::Range(0, 100000));
  truth.add_option("--epochs", o.epochs)->delimiter(',');
  truth.add_option("--seeds", o.seeds)->delimiter(',');
  truth.add_option("--part", o.part, "Train every --parts-th network, from this one on");
  truth.add_option("--parts", o.parts)->check(CLI::Range(1, 1000));
  truth.add_option("--lr", o.lr)->check(CLI::Range(1e-5, 10.0));
  scores.add_option("--weights", o.weights)->check(CLI::IsMember({"residual", "predicted", "shared"}));
  scores.add_option("--shared-start", o.shared_start)->check(CLI::Range(0.0, 1.0));
  scores.add_option("--change-start", o.change_start)->check(CLI::Range(0.0, 1.0));
  scores.add_flag("--eager", o.eager, "Let moments decay of what a step does not use");
  scores.add_option("--hyper-epochs", o.hyper_epochs)->check(CLI::Range(1, 100000));
  scores.add_option("--score-every", o.score_every, "Epochs")->check(CLI::Range(1, 100000));
  scores.add_option("--hyper-width", o.hyper_width)->check(CLI::Range(8, 4096));
  scores.add_option("--images", o.images, "Held-out images to score on; several: one row each")
      ->delimiter(',');
  scores.add_option("--growth", o.growth)->check(CLI::Range(0.0, 1.0));
  scores.add_option("--hyper-lr", o.hyper_lr)->check(CLI::Range(1e-6, 1.0));
  if (!parse(app, argc, argv)) return;
  if (rankings) return rank_networks(o);
  const std::unique_ptr<Backend> backend = open(o);
  Study study(o, *backend, truth.parsed());
  if (networks) draw_networks(study);
  if (truth) train_networks(study);
  if (scores) score_networks(study);
}

}  // namespace
}  // namespace adwp::bench

int main(int argc, char** argv) { return adwp::apps::run_main(argc, argv, adwp::bench::run); }
