// Profiles, replays and the registry of devices.
#include "framework/backend/backend.h"

#include <fmt/ranges.h>

#include "framework/backend/profile.h"
#include "framework/backend/replay.h"
#include "framework/core/error.h"

namespace adwp {

double Backend::seconds(const std::function<void()>& work) {
  synchronize();
  const auto start = std::chrono::steady_clock::now();
  work();
  synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void ProfileScope::start(Profile& profile, const std::string& key, double bytes, double flops) {
  profile_ = &profile;
  key_ = key;
  bytes_ = bytes;
  flops_ = flops;
  backend_.synchronize();
  start_ = std::chrono::steady_clock::now();
}

void ProfileScope::stop() {
  if (profile_ == nullptr) return;
  backend_.synchronize();
  Profile::Row& row = profile_->rows[key_];
  ++row.calls;
  row.bytes += bytes_;
  row.flops += flops_;
  row.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (profile_->after) profile_->after(key_, bytes_, flops_);
}

void Backend::compute_apart(ConvForward op) {
  const Tensor x(op.y.arena(), op.x.shape(), op.x.dtype());
  compute(std::exchange(op.pending, {}).applied(std::exchange(op.x, x), x));
  compute(op);
}

void Backend::compute_apart(ConvDgrad op) {
  const Tensor dy(op.dx.tensor.arena(), op.dy.shape());
  compute(CopyGradient{std::exchange(op.dy, dy), {dy}});
  compute(op);
}

void Backend::compute_apart(ConvWgrad op) {
  Arena& arena = op.dw.tensor.arena();
  if (op.pending.defined()) {
    const Tensor x(arena, op.x.shape(), op.x.dtype());
    compute(std::exchange(op.pending, {}).applied(std::exchange(op.x, x), x));
  } else {
    const Tensor dy(arena, op.dy.shape());
    compute(CopyGradient{std::exchange(op.dy, dy), {dy}});
  }
  compute(op);
}

void Backend::compute_apart(const ConvBatchNormForward& op) {
  compute(op.convolution());
  BatchNormForward norm = op.normalization();
  if (!op.z.defined()) norm.y = Tensor(op.y.arena(), op.y.shape(), op.y.dtype());
  compute(norm);
}

void Backend::compute_apart(const ConvBatchNormBackward& op) {
  const Tensor dy(op.dw.tensor.arena(), op.y.shape(), op.y.dtype());
  compute(op.normalization(dy));
  compute(ConvWgrad{op.conv, op.x, dy, op.dw, op.pending});
  if (op.dx.tensor.defined()) compute(ConvDgrad{op.conv, dy, op.w, op.dx, op.sums_of_input()});
}

void Backend::compute_apart(const ConvChain& op) {
  Tensor x = op.x;
  PendingNorm pending;  // of x
  for (const ConvChain::Layer& layer : op.layers) {
    const Tensor y(op.y.arena(), layer.output(x.shape()), op.y.dtype());
    compute(ConvForward{layer.conv, x, layer.w, y, pending});
    x = y;
    pending = {layer.mean, layer.var, layer.scale, layer.shift, op.epsilon, layer.act};
  }
  BatchNormInference norm = pending.applied(x, op.y);
  norm.addend = op.residual;
  compute(norm);
}

std::unique_ptr<Graph> Backend::capture(const std::function<void()>&) { return nullptr; }

Replay::Replay(Backend& backend, Arena& arena, std::function<void()> work)
    : backend_(backend), arena_(arena), work_(std::move(work)) {}

void Replay::call() const {
  const Arena::Frame frame(arena_);
  work_();
}

void Replay::run() {
  if (!called_ || arena_.guarded() || arena_.counting() || backend_.profiled()) {
    call();
    called_ = true;
    return;
  }
  if (graph_ == nullptr || layout_ != arena_.layout()) {
    layout_ = arena_.layout();
    graph_ = backend_.capture([this] { call(); });
  }
  if (graph_ == nullptr) return call();
  graph_->launch();
}

void Registry::add(std::string name, Factory factory, Obstacle obstacle) {
  entries_.push_back({std::move(name), std::move(factory), std::move(obstacle)});
}

std::unique_ptr<Backend> Registry::open(const std::string& name, const Say& say) const {
  for (const Entry& entry : entries_) {
    if (name != "auto" && name != entry.name) continue;
    const std::string obstacle = entry.obstacle();
    if (obstacle.empty()) return entry.factory();
    if (name != "auto") fail("device", "{} cannot be used here: {}", name, obstacle);
    say(fmt::format("device {} cannot be used here: {}", entry.name, obstacle));
  }
  fail_usage("device", "unknown device, got '{}', expected auto or one of: {}", name,
             fmt::join(names(), ", "));
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

std::string Registry::obstacle(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return entry.obstacle();
  }
  return "this binary has no such device";
}

}  // namespace adwp
