#include "framework/backend/replay.h"

#include "framework/backend/backend.h"

namespace adwp {

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

}  // namespace adwp
