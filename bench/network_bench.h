// What the programs that time one network share: its options, and its steps.
#pragma once

#include "bench/harness.h"
#include "framework/core/random.h"
#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"
#include "nas/training/network_trainer.h"

namespace adwp::bench {

struct NetworkOptions : DeviceOptions {
  std::string architecture;
  std::int64_t batch = 64, image = 32, classes = 10;
};

// Random images and labels on a device.
struct RandomBatch {
  RandomBatch(Arena& arena, std::int64_t batch, std::int64_t size, std::int64_t classes, std::uint64_t seed) {
    Random random(seed, Purpose::test);
    std::vector<float> pixels;
    std::vector<std::int32_t> labels;
    const Shape shape{batch, size, size, 3};
    for (std::int64_t i = 0; i < shape.elements(); ++i) pixels.push_back(random.normal());
    for (std::int64_t i = 0; i < batch; ++i)
      labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes))));
    x = Tensor::from_host(arena, shape, std::span<const float>(pixels));
    y = Tensor::from_host(arena, Shape{batch}, std::span<const std::int32_t>(labels));
  }
  Tensor x, y;
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
        batch_(arena_, options.batch, options.image, 10, 1),
        loss_(arena_, Shape{1}),
        gradients_(backend, arena_, [this] { compute_gradients(); }),
        inference_(backend, arena_, [this] { infer(); }) {}

  // Whether each kernel is launched by itself, even where the device replays steps.
  void set_eager(bool eager) { eager_ = eager; }

  // The first step is an ordinary one, the second is recorded (framework/backend/replay.h).
  void warm_up() {
    train();
    train();
    evaluate();
    evaluate();
  }

  void train() {
    do_step(gradients_, [this] { compute_gradients(); });
    trainer_.optimizer().step(0.01f);
  }
  void evaluate() {
    do_step(inference_, [this] { infer(); });
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
    file.add("images", batch_.x);
    file.add("logits", trainer_.infer(tape, batch_.x).value());
    file.save(path);
  }

  const nas::NetworkPlan& plan() const { return plan_; }

  // Says device and network in the head of the report.
  void report() const {
    report_device(backend_);
    benchmark::AddCustomContext("architecture", plan_.architecture.id());
    benchmark::AddCustomContext("parameters", std::to_string(plan_.parameters()));
    benchmark::AddCustomContext("multiply-accumulates", fmt::format("{} an image", plan_.macs()));
    benchmark::AddCustomContext("batch",
                                fmt::format("{} of {} x {}", options_.batch, options_.image, options_.image));
  }

 private:
  template <typename Work>
  void do_step(Replay& replay, Work&& work) {
    if (!eager_) return replay.run();
    const Arena::Frame frame(arena_);
    work();
  }
  void compute_gradients() { trainer_.compute_gradients(batch_.x, batch_.y, loss_); }
  void infer() {
    Tape tape(backend_, arena_, Tape::Recording::off);
    trainer_.infer(tape, batch_.x);
  }

  const NetworkOptions& options_;
  Backend& backend_;
  Arena arena_;
  nas::NetworkPlan plan_;
  data::DeviceImages images_;
  nas::NetworkTrainer trainer_;
  RandomBatch batch_;
  Tensor loss_;
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
