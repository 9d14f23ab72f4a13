// What the programs that time one network share: its options, and its steps.
#pragma once

#include <chrono>

#include "bench/command_line.h"
#include "framework/core/random.h"
#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "nas/training/network_trainer.h"

namespace adwp::bench {

struct NetworkOptions : DeviceOptions {
  std::string architecture;
  std::int64_t batch = 64, image = 32, classes = 10;
};

// A network with a batch of random images on a device.
class NetworkBench {
 public:
  NetworkBench(const NetworkOptions& options, Backend& backend)
      : options_(options),
        backend_(backend),
        arena_(backend, std::size_t{2} << 30),
        plan_(nas::plan_network(nas::Architecture::from_json(io::read_text(options.architecture)),
                                {.image_size = options.image, .classes = options.classes})),
        images_(data::DeviceImages::reserve(arena_, options.batch, options.image, options.image, 3)),
        trainer_(backend, arena_, plan_, images_, PixelNorm{},
                 {.batch = options.batch, .clip = 0, .seed = 1}),
        gradients_(backend, arena_, [this] { compute_gradients(); }),
        inference_(backend, arena_, [this] { infer(); }) {
    Random random(1, Purpose::test);
    std::vector<float> pixels;
    std::vector<std::int32_t> labels;
    const Shape shape{options.batch, options.image, options.image, 3};
    for (std::int64_t i = 0; i < shape.elements(); ++i) pixels.push_back(random.normal());
    for (std::int64_t i = 0; i < options.batch; ++i) {
      labels.push_back(static_cast<std::int32_t>(random.below(10)));
    }
    x_ = Tensor::from_host(arena_, shape, std::span<const float>(pixels));
    y_ = Tensor::from_host(arena_, Shape{options.batch}, std::span<const std::int32_t>(labels));
    loss_ = Tensor(arena_, Shape{1});
  }

  // Whether each kernel is launched by itself, even where the device replays steps.
  void set_eager(bool eager) { eager_ = eager; }

  void train() {
    do_step(gradients_, [this] { compute_gradients(); });
    trainer_.optimizer().step(0.01f);
  }
  void evaluate() {
    do_step(inference_, [this] { infer(); });
  }

  template <typename Step>
  std::vector<double> time(int repetitions, Step&& step) {
    std::vector<double> seconds;
    for (int i = 0; i < repetitions; ++i) {
      const auto start = std::chrono::steady_clock::now();
      step();
      backend_.synchronize();
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return seconds;
  }

  // Weights by name, "LAYER.mean" and "LAYER.var", "images" and the logits they give.
  void dump(const std::string& path) {
    const Arena::Frame frame(arena_);
    io::SafeTensors file;
    nn::ParameterStore& store = trainer_.weights().parameters();
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      file.add(store.entries()[i].name, store[static_cast<int>(i)].value());
    }
    for (std::size_t i = 0; i < plan_.layers.size(); ++i) {
      if (!plan_.layers[i].norm) continue;
      const ops::BatchStatistics& statistics = trainer_.statistics().layers()[i];
      file.add(plan_.layers[i].name + ".mean", statistics.mean);
      file.add(plan_.layers[i].name + ".var", statistics.var);
    }
    Tape tape(backend_, arena_, Tape::Recording::off);
    file.add("images", x_);
    file.add("logits", trainer_.infer(tape, x_).value());
    file.save(path);
  }

  const nas::NetworkPlan& plan() const { return plan_; }

 private:
  template <typename Work>
  void do_step(Replay& replay, Work&& work) {
    if (!eager_) return replay.run();
    const Arena::Frame frame(arena_);
    work();
  }
  void compute_gradients() { trainer_.compute_gradients(x_, y_, loss_); }
  void infer() {
    Tape tape(backend_, arena_, Tape::Recording::off);
    trainer_.infer(tape, x_);
  }

  const NetworkOptions& options_;
  Backend& backend_;
  Arena arena_;
  nas::NetworkPlan plan_;
  data::DeviceImages images_;
  nas::NetworkTrainer trainer_;
  Tensor x_, y_, loss_;
  bool eager_ = false;
  Replay gradients_, inference_;
};

inline void declare(CLI::App& app, NetworkOptions& options) {
  declare(app, static_cast<DeviceOptions&>(options));
  app.add_option("architecture", options.architecture)->required();
  app.add_option("--batch", options.batch)->check(CLI::Range(2, 4096));
  app.add_option("--image", options.image)->check(CLI::Range(4, 512));
  app.add_option("--classes", options.classes)->check(CLI::Range(1, 10000));
}

}  // namespace adwp::bench
