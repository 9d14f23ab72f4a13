#include "nas/training/teacher.h"

#include "framework/core/error.h"
#include "nas/network/inference.h"

namespace adwp::nas {
namespace {

void require_fit(const StoredNetwork& network, const Task& task) {
  const Task& own = network.plan.task;
  if (own.image_size != task.image_size || own.channels != task.channels) {
    fail_usage("teacher", "takes other images, got {0}x{0}x{1}, expected {2}x{2}x{3}", own.image_size,
               own.channels, task.image_size, task.channels);
  }
  if (own.classes != task.classes) {
    fail_usage("teacher", "knows other classes, got {}, expected {}", own.classes, task.classes);
  }
}

Tensor upload(Arena& arena, const std::vector<float>& values) {
  return Tensor::from_host(arena, Shape{std::ssize(values)}, std::span<const float>(values));
}

}  // namespace

Teacher::Teacher(Arena& arena, const StoredNetwork& network, const Task& task, const PixelNorm& norm)
    : plan_(network.plan), weights_(arena, plan_, 0), statistics_(arena, plan_) {
  require_fit(network, task);
  load_network(network, weights_, statistics_);
  std::vector<float> scale, shift;
  bool same = true;
  for (std::int64_t c = 0; c < task.channels; ++c) {
    scale.push_back(norm.deviation[c] / network.norm.deviation[c]);
    shift.push_back((norm.mean[c] - network.norm.mean[c]) / network.norm.deviation[c]);
    same = same && scale[c] == 1 && shift[c] == 0;
  }
  if (same) return;
  const std::vector<float> none(task.channels, 0.0f), one(task.channels, 1.0f - ops::batch_norm_epsilon);
  mean_ = upload(arena, none);
  variance_ = upload(arena, one);
  scale_ = upload(arena, scale);
  shift_ = upload(arena, shift);
}

Tensor Teacher::renormalised(Tape& tape, const Tensor& images) const {
  if (!scale_.defined()) return images;
  const Variable x = Variable::constant(images);
  return ops::batch_norm_inference(tape, x, {mean_, variance_}, Variable::constant(scale_),
                                   Variable::constant(shift_), Activation::none)
      .value();
}

Tensor Teacher::logits(Tape& tape, const Tensor& images) {
  const NetworkWeights weights = weights_.weights_in(weights_.parameters().values());
  return forward(tape, plan_, weights, renormalised(tape, images), {.given = &statistics_.layers()}).value();
}

}  // namespace adwp::nas
