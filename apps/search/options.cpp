#include "apps/search/setup.h"

namespace adwp::apps {

nas::Limits SearchOptions::limits() const {
  nas::Limits limits;
  if (max_params > 0) limits.max_params = max_params;
  if (max_macs > 0) limits.max_macs = max_macs;
  if (max_latency_us > 0) limits.max_latency_us = max_latency_us;
  return limits;
}

nas::HyperTrainingOptions SearchOptions::hyper_training(const nas::Task& task, std::int64_t epochs,
                                                        int member) const {
  return {.epochs = epochs,
          .batch = batch,
          .architectures_per_step = architectures_per_step,
          .growth = hyper_growth,
          .learning_rate = static_cast<float>(hyper_lr),
          .augmentation = augmentation(data::parse_data_spec(data), task.image_size, 0),
          .sampling = sampling(),
          .limits = limits(),
          .seed = source_seed(member)};
}

nas::NetworkTrainingOptions SearchOptions::network_training(const nas::Task& task, int epochs,
                                                            std::uint64_t training_seed) const {
  return {.epochs = epochs,
          .batch = batch,
          .learning_rate = static_cast<float>(finalist_lr),
          .augmentation = augmentation(data::parse_data_spec(data), task.image_size, 0),
          .sampling = sampling(),
          .seed = training_seed};
}

namespace {

void declare_hypernetwork(Settings& settings, SearchOptions& o) {
  settings.group("HyperNetwork");
  settings.choice("weights", o.weights,
                  "Who gives a candidate its weights: the HyperNetwork, or a shared set",
                  {"predicted", "shared"});
  settings.integer("hyper-epochs", o.hyper_epochs,
                   "Epochs of its training; 0: none, and networks are scored by structure and size", 0,
                   100'000);
  settings.integer("batch", o.batch, "Images per training step", 1, 65536);
  settings.integer("architectures-per-step", o.architectures_per_step, "Networks per step", 1, 256);
  settings.real("hyper-lr", o.hyper_lr, "Peak learning rate (AdamW)", 1e-7, 1);
  settings.real(
      "hyper-growth", o.hyper_growth,
      "Fraction of its training over which sampled networks grow to full depth; 0: full depth at once", 0, 1);
  settings.integer(
      "hypernetworks", o.hypernetworks,
      "HyperNetworks (or shared sets) that are trained, each with a seed of its own; a candidate's "
      "predicted loss is their mean",
      1, 64);
  settings.integer("hyper-width", o.hyper_width, "Width of the encoder", 8, 4096);
  settings.flag("fixed-norm", o.fixed_norm, "Do not predict the scale and shift of batch norms");
  settings.flag("layer-code-only", o.layer_code_only,
                "Predict a layer from its own code only, without the code of the whole network");
  settings.flag("shared-kernel", o.shared_kernel,
                "Predict changes of kernels that all networks share, not whole kernels");
}

}  // namespace

void declare(Settings& settings, SearchOptions& o) {
  constexpr std::int64_t many = 1'000'000'000'000;
  declare_run(settings, o, 0.01);
  settings.text("space", o.space, "SPACE", "tiny, cifar or a TOML file");

  declare_hypernetwork(settings, o);
  settings.group("Budget");
  settings.real(
      "budget-epochs", o.budget_epochs,
      "Trainings of a network for one epoch that the search may cost. It then chooses --hyper-epochs, "
      "--rank-sample and --finalists, unless they are 0; 0: no budget",
      0, 1e9);
  settings.real(
      "budget-minutes", o.budget_minutes,
      "The same in minutes, by the time that an epoch is measured to take at the start; 0: no budget", 0,
      1e6);
  settings.group("Score");
  settings.integer("score-images", o.score_images,
                   "Held-out images that a candidate is scored on; 0: all of them", 0, many);
  settings.integer("rank-sample", o.rank_sample,
                   "Random networks that are trained from scratch, to fit the score and to judge it; 0: none",
                   0, 10'000);
  settings.integer("rank-epochs", o.rank_epochs, "Epochs of each training", 1, 10'000);
  settings.flag("rank-one-epoch", o.rank_one_epoch,
                "Train each of them for one epoch as well, to compare how well that ranks");

  settings.group("Search");
  settings.choice("strategy", o.strategy, "How candidates are found", {"evolution", "random"});
  settings.integer("population", o.population, "Candidates per generation", 2, 100'000);
  settings.integer("generations", o.generations, "Generations after the first", 0, 100'000);
  settings.integer("max-params", o.max_params, "Most parameters of a network; 0: no limit", 0, many);
  settings.integer("max-macs", o.max_macs, "Most multiply-accumulates of a network; 0: no limit", 0, many);
  settings.flag(
      "latency", o.latency,
      "Measure the latency of each candidate on the device and minimise it too. Measured times vary, "
      "so the result varies as well; only with --latencies can a search be repeated");
  settings.real("max-latency-us", o.max_latency_us,
                "Most microseconds a network may take for one image; 0: no limit. Implies --latency", 0, 1e9);
  settings.text("latencies", o.latencies, "FILE",
                "Do not measure latencies that stand in this search.db of an earlier search, so that the "
                "search can be repeated to the bit. Implies --latency");
  settings.integer("evaluation-batch", o.evaluation_batch, "Images per evaluation batch", 2, 65536);

  settings.group("Finalists");
  settings.integer("finalists", o.finalists, "Candidates trained from scratch at the end; 0: none", 0,
                   10'000);
  settings.integer("refits", o.refits,
                   "Times that the score is fitted again while the first rung trains, to what that has found",
                   0, 1000);
  settings.integer("finalist-epochs", o.finalist_epochs,
                   "Epochs of the last rung, those of rungs that it goes on from included", 1, 10'000);
  settings.integer("halvings", o.halvings, "Times the field is cut before the last rung", 0, 16);
  settings.real("finalist-lr", o.finalist_lr, "Peak learning rate when training from scratch (SGD)", 1e-6,
                10);
}

}  // namespace adwp::apps
