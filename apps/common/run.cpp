#include "apps/common/run.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

// Cores for each of `ranks` on this machine. A rank that its launcher has bound to some of them keeps those
// (0: the device looks by itself).
int cores_each(int ranks) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return 0;
  cpu_set_t mask;
  const int given = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
  const int all = std::thread::hardware_concurrency();
  return given < static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) ? 0 : std::max(1, all / ranks);
}

}  // namespace

data::Reading reading_on(Progress& progress) {
  return [&progress, begun = false](std::int64_t done, std::int64_t total) mutable {
    if (!begun) progress.begin("reading", total, "images");
    begun = true;
    progress.update(done);
  };
}

std::vector<std::pair<std::string, std::string>> lines_of(const std::string& toml) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::size_t at = 0; at < toml.size();) {
    const std::size_t end = std::min(toml.find('\n', at), toml.size());
    const std::string line = toml.substr(at, end - at);
    const std::size_t equals = line.find(" = ");
    if (equals != line.npos) lines.emplace_back("setting " + line.substr(0, equals), line.substr(equals + 3));
    at = end + 1;
  }
  return lines;
}

std::unique_ptr<Backend> open_device(parallel::Group& group, const RunOptions& options,
                                     std::vector<std::string>& passed_over) {
  std::unique_ptr<Backend> backend;
  const Neighbours here = group.alone() ? Neighbours{} : neighbours(group);
  if (here.count > 1) setenv("CUDA_VISIBLE_DEVICES", std::to_string(here.number).c_str(), 0);
  together(group, [&] {
    if (!group.alone() && options.engine == "auto") {
      fail_usage("engine",
                 "auto times both engines on each rank, which may come out otherwise on each, got {} ranks; "
                 "choose hand or vendor",
                 group.size());
    }
    const auto open = [&](int threads) {
      return devices(threads, options.precision, options.engine)
          .open(options.device, [&](const std::string& line) { passed_over.push_back(line); });
    };
    const int share = here.count > 1 && options.threads == 0 ? cores_each(here.count) : options.threads;
    backend = open(share);
  });
  return backend;
}

void declare_run(Settings& settings, RunOptions& o, double least_validation) {
  settings.group("Data and place");
  settings.text("data", o.data, "SPEC",
                "synthetic[:N] | cifar10:DIR | cifar100:DIR | folder:DIR | idx:DIR, with "
                "?limit=N&size=PIXELS&skip-bad&exif=ignore",
                Settings::Presence::required);
  settings.text("out", o.out, "DIR", "Directory of the run; must be new or empty",
                Settings::Presence::required);
  settings.real("validation", o.validation, "Fraction of the training split that is held out",
                least_validation, 0.9);
  settings.text("device", o.device, "DEVICE", "auto, or a device that --version lists");
  settings.choice(
      "precision", o.precision,
      "Convolutions and matrix products multiply in f32, or on the matrix units in tf32 or bf16 "
      "(cuda and emulated; with bf16, values and gradients by them lie so in memory); on cpu, bf16 is "
      "for dense convolutions in training",
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

  settings.group("Training images");
  settings.text("augment", o.augment, "LIST",
                "How they are changed each time: of shift, flip and cutout, with commas between, or none. "
                "Left out: shift "
                "and flip, and what the recipe adds; idx is not flipped, for digits and letters mean "
                "something else then");
  settings.flag("no-flip", o.no_flip, "Do not mirror them");
  settings.flag("no-shift", o.no_shift, "Do not move them");
  settings.flag("balanced", o.balanced, "Show each class equally often, whatever its number of images");
}

void RunOptions::require_valid() const { augmentation(data::parse_data_spec(data), 32, 0); }

Augmentation RunOptions::augmentation(const data::DataSpec& spec, std::int64_t pixels, double cutout) const {
  bool shifts = augment.empty(), flips = augment.empty() && spec.kind != data::DataSpec::Kind::idx;
  bool cuts = augment.empty() && cutout > 0, lists_none = false;
  for (std::size_t at = 0; at < augment.size();) {
    const std::size_t end = std::min(augment.find(',', at), augment.size());
    const std::string name = augment.substr(at, end - at);
    if (name == "shift") {
      shifts = true;
    } else if (name == "flip") {
      flips = true;
    } else if (name == "cutout") {
      cuts = true;
    } else if (name == "none") {
      lists_none = true;
    } else {
      fail_usage("augment", "unknown, got '{}', expected shift, flip, cutout, with commas between, or none",
                 name);
    }
    at = end + 1;
  }
  if (!augment.empty() && ((shifts && no_shift) || (flips && no_flip))) {
    fail_usage("augment", "--augment {} and --no-{} contradict each other; leave out one of them", augment,
               flips && no_flip ? "flip" : "shift");
  }
  if (lists_none && (shifts || flips || cuts)) {
    fail_usage("augment", "none beside others, got '{}', expected a list or none", augment);
  }
  return {.shift = shifts && !no_shift ? pixels / 8 : 0,
          .flip = flips && !no_flip,
          .cutout = cuts ? static_cast<std::int64_t>(pixels * (cutout > 0 ? cutout : 0.5)) : 0};
}

std::pair<std::string, std::string> augmentation_fact(const Augmentation& a) {
  return {"augmentation",
          fmt::format("shift {}, flip {}, cutout {}", a.shift, a.flip ? "yes" : "no", a.cutout)};
}

}  // namespace adwp::apps
