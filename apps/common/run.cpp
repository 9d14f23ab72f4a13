#include "apps/common/run.h"

namespace adwp::apps {

void declare_run(Settings& settings, RunOptions& o, double least_validation) {
  settings.group("Data and place");
  settings.text("data", o.data, "SPEC",
                "synthetic[:N] | cifar10:DIR | cifar100:DIR | folder:DIR | idx:DIR, with "
                "?limit=N&size=PIXELS",
                Settings::Presence::required);
  settings.text("out", o.out, "DIR", "Directory of the run; must be new or empty",
                Settings::Presence::required);
  settings.real("validation", o.validation, "Fraction of the training split that is held out",
                least_validation, 0.9);
  settings.text("device", o.device, "DEVICE", "auto, or a device that --version lists");
  settings.choice("precision", o.precision,
                  "Convolutions and matrix products multiply in f32, or on the matrix units in tf32 or bf16 "
                  "(cuda and emulated only)",
                  {"f32", "tf32", "bf16"});
  settings.choice("engine", o.engine,
                  "Kernels of convolutions and matrix products: hand is this project's, vendor is cuDNN and "
                  "cuBLAS, auto times both and takes the faster for each shape (cuda only)",
                  {"hand", "vendor", "auto"});
  settings.integer("seed", o.seed, "Seed of all random numbers", 0, 1'000'000'000);
  settings.integer("threads", o.threads, "Threads of the CPU device; 0: one per core", 0, 1024);
  settings.integer("arena-mb", o.arena_mb, "Memory of the run in MiB; 0: as much as a dry pass measures", 0,
                   1'000'000);
  settings.flag("tensorboard", o.tensorboard, "Also write event files for TensorBoard, into DIR/tensorboard");
  settings.run_control(o.resume, o.quiet);
}

}  // namespace adwp::apps
