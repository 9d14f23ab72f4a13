// What each weight source says of the networks of the ranking study.
#include <chrono>

#include "bench/ranking/study.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/weights/hypernetwork.h"
#include "nas/weights/parameter_weights.h"

namespace adwp::bench {
namespace {

using nlohmann::json;

std::unique_ptr<nas::WeightSource> make_source(Study& study) {
  const StudyOptions& o = study.options;
  if (o.weights == "shared") {
    return std::make_unique<nas::SharedWeights>(study.arena, study.space, study.task, o.seed);
  }
  return std::make_unique<nas::HyperNetwork>(
      study.arena, study.space, study.task,
      nas::HyperNetworkOptions{.width = o.hyper_width,
                               .shared_kernel = o.weights == "residual",
                               .shared_start = static_cast<float>(o.shared_start),
                               .change_start = static_cast<float>(o.change_start)},
      o.seed);
}

}  // namespace

void score_networks(Study& study) {
  const StudyOptions& options = study.options;
  const std::vector<nas::NetworkPlan> networks = study.networks();
  Rows rows(options.rows);
  json key{{"weights", options.weights},
           {"shared_start", options.shared_start},
           {"change_start", options.change_start},
           {"lazy", !options.eager},
           {"lr", options.hyper_lr},
           {"growth", options.growth},
           {"width", options.hyper_width},
           {"epochs", options.hyper_epochs},
           {"epoch", options.hyper_epochs},
           {"seed", options.seed}};
  if (rows.contains(key)) return;
  const std::unique_ptr<nas::WeightSource> source = make_source(study);
  nas::HyperTrainer trainer(study.backend, study.arena, *source, study.space, study.task, study.train,
                            study.data.norm,
                            {.epochs = options.hyper_epochs,
                             .batch = options.batch,
                             .growth = options.growth,
                             .learning_rate = static_cast<float>(options.hyper_lr),
                             .lazy = !options.eager,
                             .augmentation = study.augmentation(),
                             .seed = options.seed});
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t epoch = 0; epoch < options.hyper_epochs; ++epoch) {
    const double train_loss = trainer.run_epoch(epoch);
    fmt::print(stderr, "{} {}, epoch {}: loss {:.3f}\n", options.weights, options.seed, epoch + 1,
               train_loss);
    if ((epoch + 1) % options.score_every != 0 && epoch + 1 != options.hyper_epochs) continue;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    key.update({{"epoch", epoch + 1}, {"train_loss", train_loss}, {"seconds", seconds.count()}});
    for (const std::int64_t images : options.images) {
      const Arena::Frame frame(study.arena);
      nas::Evaluator evaluator(study.backend, study.arena, study.validation.first(images), study.data.norm,
                               Study::evaluation_batch, std::ssize(networks));
      json row = key;
      row["images"] = evaluator.images_per_network();
      for (const nas::Score& score : evaluator.evaluate(*source, networks)) {
        row["loss"].push_back(score.loss);
        row["accuracy"].push_back(score.accuracy);
      }
      rows.append(row);
    }
  }
}

}  // namespace adwp::bench
