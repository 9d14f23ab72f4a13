#include "apps/search/options.h"

namespace adwp::apps {

void declare(Settings& settings, SearchOptions& o) {
  constexpr std::int64_t many = 1'000'000'000'000;
  declare_run(settings, o, 0.01);
  settings.text("space", o.space, "SPACE", "tiny, cifar or a TOML file");

  settings.group("HyperNetwork");
  settings.choice("weights", o.weights, "Where candidates get their weights from", {"predicted", "shared"});
  settings.integer("hyper-epochs", o.hyper_epochs, "Epochs of its training", 1, 100'000);
  settings.integer("batch", o.batch, "Images a training step", 1, 65536);
  settings.integer("architectures-per-step", o.architectures_per_step, "Networks a step", 1, 256);
  settings.real("hyper-lr", o.hyper_lr, "Peak learning rate (AdamW)", 1e-7, 1);
  settings.integer("hyper-width", o.hyper_width, "Width of the encoder", 8, 4096);
  settings.flag("fixed-norm", o.fixed_norm, "Do not predict batch norm's scale and shift");
  settings.flag("layer-code-only", o.layer_code_only,
                "Condition a layer on its own code alone, not on the whole network's");

  settings.group("Calibration");
  settings.integer("rank-sample", o.rank_sample,
                   "Random networks trained for real, to calibrate and to judge; 0: none", 0, 10'000);
  settings.integer("rank-epochs", o.rank_epochs, "Epochs for each of them", 1, 10'000);

  settings.group("Search");
  settings.choice("strategy", o.strategy, "How candidates are found", {"evolution", "random"});
  settings.integer("population", o.population, "Candidates a generation", 2, 100'000);
  settings.integer("generations", o.generations, "Generations after the first", 0, 100'000);
  settings.integer("max-params", o.max_params, "Upper limit on parameters; 0: none", 0, many);
  settings.integer("max-macs", o.max_macs, "Upper limit on multiply-accumulates; 0: none", 0, many);
  settings.flag("latency", o.latency,
                "Measure each candidate's latency on the device, and make it an objective. Times are never "
                "the same twice, so neither is such a search, but with --latencies");
  settings.real("max-latency-us", o.max_latency_us,
                "Upper limit on the latency of one image, in microseconds; 0: none. Means --latency", 0, 1e9);
  settings.text("latencies", o.latencies, "FILE",
                "search.db of an earlier search: where it has a latency, that is taken, so that the search "
                "can be repeated to the bit. Means --latency");
  settings.integer("evaluation-batch", o.evaluation_batch, "Images an evaluation batch", 2, 65536);

  settings.group("Finalists");
  settings.integer("finalists", o.finalists, "Networks trained for real at the end; 0: none", 0, 10'000);
  settings.integer("finalist-epochs", o.finalist_epochs, "Epochs of the last rung", 1, 10'000);
  settings.integer("halvings", o.halvings, "Times the field is cut before the last rung", 0, 16);
  settings.real("finalist-lr", o.finalist_lr, "Peak learning rate of real training (SGD)", 1e-6, 10);
}

}  // namespace adwp::apps
