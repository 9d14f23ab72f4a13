#include "apps/common/run_options.h"

namespace adwp::apps {

void declare_run(Settings& settings, RunOptions& o, double least_validation) {
  settings.group("Data and place");
  settings.text("data", o.data, "SPEC",
                "synthetic[:N] | cifar10:DIR | cifar100:DIR | folder:DIR | idx:DIR, with "
                "?limit=N&size=PIXELS",
                Settings::Presence::required);
  settings.text("out", o.out, "DIR", "Directory of the run; must not be in use",
                Settings::Presence::required);
  settings.real("validation", o.validation, "Fraction of the training split that is held out",
                least_validation, 0.9);
  settings.text("device", o.device, "DEVICE", "auto, or a device that --version lists");
  settings.choice("precision", o.precision,
                  "Of matrix products on cuda and emulated: exact f32, or the matrix units",
                  {"f32", "tf32", "bf16"});
  settings.choice(
      "engine", o.engine,
      "Of convolutions and GEMMs on cuda: our kernels, cuDNN and cuBLAS, or the faster for each shape",
      {"hand", "vendor", "auto"});
  settings.integer("seed", o.seed, "Seed of everything that is random", 0, 1'000'000'000);
  settings.integer("threads", o.threads, "Threads of the CPU device; 0: one a core", 0, 1024);
  settings.integer("arena-mb", o.arena_mb, "Size of the arena; 0: what a dry pass measures", 0, 1'000'000);
  settings.flag("tensorboard", o.tensorboard, "Write event files for TensorBoard too, into DIR/tensorboard");
  settings.run_control(o.resume, o.quiet);
}

}  // namespace adwp::apps
