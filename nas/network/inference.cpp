#include "nas/network/inference.h"

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "framework/core/random.h"

namespace adwp::nas {
namespace {

io::HostTensor stored(const Tensor& tensor) {
  io::SafeTensors file;
  file.add("x", tensor);
  return file.tensors.at("x");
}

io::HostTensor stored(const Shape& shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return {shape, DType::f32, {bytes.begin(), bytes.end()}};
}

data::ImageSet noise(const Task& task, std::int64_t count, Random random) {
  data::ImageSet set{task.image_size, task.image_size, task.channels, {}, {}};
  set.labels.assign(count, 0);
  set.pixels.resize(count * set.image_bytes());
  for (std::uint8_t& pixel : set.pixels) pixel = random.below(256);
  return set;
}

data::ImageSet mirrored(data::ImageSet set) {
  for (std::int64_t line = 0; line < set.count() * set.height; ++line) {
    std::uint8_t* pixels = set.pixels.data() + line * set.width * set.channels;
    for (std::int64_t left = 0, right = set.width - 1; left < right; ++left, --right) {
      std::swap_ranges(pixels + left * set.channels, pixels + (left + 1) * set.channels,
                       pixels + right * set.channels);
    }
  }
  return set;
}

}  // namespace

void load_network(const StoredNetwork& network, TrainedWeights& weights, RunningStatistics& statistics) {
  const io::SafeTensors file{network.tensors, {}};
  const nn::ParameterStore& store = weights.parameters();
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    file.restore(store.entries()[i].name, store[i].value());
  }
  for (std::size_t i = 0; i < network.plan.layers.size(); ++i) {
    if (!network.plan.layers[i].norm) continue;
    file.restore(network.plan.layers[i].name + ".mean", statistics.layers()[i].mean);
    file.restore(network.plan.layers[i].name + ".var", statistics.layers()[i].var);
  }
}

Inference::Resident::Resident(Backend& backend, Arena& arena, const StoredNetwork& network,
                              std::int64_t batch)
    : weights(arena, network.plan, 0),
      statistics(arena, network.plan),
      images(data::DeviceImages::reserve(arena, batch, network.plan.task.image_size,
                                         network.plan.task.image_size, network.plan.task.channels)),
      loader(data::Loader::sequential(backend, arena, images, batch, network.norm)),
      x(arena, images.pixels.shape()),
      y(arena, Shape{batch}, DType::i32) {}

std::size_t Inference::measure(Backend& backend, const StoredNetwork& network, std::int64_t batch) {
  Arena arena = Arena::counting(backend);
  Resident resident(backend, arena, network, batch);
  std::vector<ops::BatchStatistics> collected;
  for (const NormMode& norm :
       {NormMode{.given = &resident.statistics.layers()}, NormMode{.collect = &collected}}) {
    const Arena::Frame frame(arena);
    Tape tape(backend, arena, Tape::Recording::off);
    compute(tape, resident, network.plan, norm);
  }
  return arena.peak() + Arena::alignment;
}

Variable Inference::compute(Tape& tape, Resident& resident, const NetworkPlan& plan, const NormMode& norm) {
  resident.loader.load(0, resident.x, resident.y);
  return forward(tape, plan, resident.weights.weights(tape, plan), resident.x, norm);
}

Inference::Inference(Backend& backend, const StoredNetwork& network, std::int64_t batch)
    : backend_(backend),
      plan_(network.plan),
      batch_(batch),
      arena_(backend, measure(backend, network, batch)),
      resident_(backend, arena_, network, batch) {
  load_network(network, resident_.weights, resident_.statistics);
  resident_.images.labels.zero();
}

void Inference::load(const data::ImageSet& images, std::int64_t first) {
  const auto begin = images.pixels.begin() + first * images.image_bytes();
  std::vector<std::uint8_t> pixels(begin,
                                   begin + std::min(batch_, images.count() - first) * images.image_bytes());
  pixels.resize(batch_ * images.image_bytes());
  resident_.images.pixels.copy_from_host(std::span<const std::uint8_t>(pixels));
}

std::vector<float> Inference::logits(const data::ImageSet& images, Views views) {
  if (views == Views::mirrored_too) {
    std::vector<float> all = logits(images);
    const std::vector<float> others = logits(mirrored(images));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = (all[i] + others[i]) / 2;
    return all;
  }
  std::vector<float> all;
  for (std::int64_t first = 0; first < images.count(); first += batch_) {
    load(images, first);
    const Arena::Frame frame(arena_);
    Tape tape(backend_, arena_, Tape::Recording::off);
    const Variable result = compute(tape, resident_, plan_, {.given = &resident_.statistics.layers()});
    const std::vector<float> values = result.value().to_host<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  all.resize(images.count() * plan_.task.classes);  // the zeros' go
  require(std::all_of(all.begin(), all.end(), [](float value) { return std::isfinite(value); }), "network",
          "architecture {} computes NaN or Inf; its weights are no good", plan_.architecture.id());
  return all;
}

std::vector<double> Inference::softmax(std::span<const float> logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> result;
  double sum = 0;
  for (float logit : logits) {
    result.push_back(std::exp(logit - highest));
    sum += result.back();
  }
  for (double& probability : result) probability /= sum;
  return result;
}

std::map<std::string, io::HostTensor> Inference::statistics_of(const data::ImageSet& images) {
  load(images, 0);
  const Arena::Frame frame(arena_);
  std::vector<ops::BatchStatistics> collected;
  Tape tape(backend_, arena_, Tape::Recording::off);
  compute(tape, resident_, plan_, {.collect = &collected});
  std::map<std::string, io::HostTensor> result;
  for (std::size_t i = 0; i < plan_.layers.size(); ++i) {
    if (!plan_.layers[i].norm) continue;
    result[plan_.layers[i].name + ".mean"] = stored(collected[i].mean);
    result[plan_.layers[i].name + ".var"] = stored(collected[i].var);
  }
  return result;
}

StoredNetwork random_network(Backend& backend, const NetworkPlan& plan, std::uint64_t seed) {
  StoredNetwork network;
  network.plan = plan;
  // Not 0 and 1: whoever computes the network elsewhere must not get away without them.
  for (int c = 0; c < 4; ++c) {
    network.norm.mean[c] = 0.4f + 0.05f * c;
    network.norm.deviation[c] = 0.2f + 0.02f * c;
  }
  for (std::int64_t c = 0; c < plan.task.classes; ++c) network.classes.push_back(fmt::format("class {}", c));
  std::uint64_t number = 0;
  for (const auto& [name, shape] : tensors_of(plan)) {
    Random random(seed, Purpose::initialise, number++);
    const float fan_in = shape.elements() / shape[0];
    std::vector<float> values(shape.elements());
    for (float& value : values) {
      const float x = random.normal();
      value = shape.rank() == 4          ? x * std::sqrt(2.0f / fan_in)
              : shape.rank() == 2        ? x / std::sqrt(fan_in)
              : name.ends_with(".scale") ? 1 + 0.2f * x
              : name.ends_with(".var")   ? 1
                                         : 0.2f * x;
    }
    network.tensors[name] = stored(shape, values);
  }
  constexpr std::int64_t batch = 16;
  Inference inference(backend, network, batch);
  const Random pixels(seed, Purpose::synthetic);
  for (auto& [name, tensor] : inference.statistics_of(noise(plan.task, batch, pixels))) {
    network.tensors[name] = std::move(tensor);
  }
  return network;
}

}  // namespace adwp::nas
