// Work that is done many times on the same memory: a training step, an evaluation batch.
//
// On a fast device such a step is mostly launches, hundreds of them, each more expensive to issue than to
// run. A device that can (Backend::capture) therefore records the work once, as a graph of its kernels,
// fills and copies with the addresses they had, and does it again at the price of one launch. Elsewhere
// the work is simply called again; the bits are the same either way.
//
// What makes that safe:
// - The work runs in an Arena::Frame of its own, so it finds the same addresses each time, and leaves
//   nothing behind but what it writes to tensors that were there before.
// - A graph writes to memory that was free when it was recorded. It is used again only while the arena's
//   layout is the one it was recorded in, that is, while the same memory is free; otherwise the work is
//   recorded again.
// What would break it:
// - Anything that varies from run to run and is not read from the device: a learning rate, a batch's
//   number, a count of steps. Such work stays outside, before or after run(). Tensors that the work holds
//   must be the same tensors; their contents may change.
// - Anything between host and device, or a wait: devices that record refuse these with an Error.
// - Work on another arena's free memory; its layout is not watched.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "framework/core/arena.h"

namespace adwp {

class Backend;

// What a device has recorded.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void launch() = 0;  // in order with the device's other work
};

class Replay {
 public:
  // Keeps `work`; calls it for the first time in run().
  Replay(Backend& backend, Arena& arena, std::function<void()> work);

  // Does the work. The first run calls it as it is, so that whatever a device does once for a kernel or a
  // shape has been done; the second records. Where the arena checks tensors (guard) or counts, or a profile
  // is attached, every run calls it.
  void run();

 private:
  void call() const;

  Backend& backend_;
  Arena& arena_;
  std::function<void()> work_;
  bool called_ = false;
  std::unique_ptr<Graph> graph_;
  std::uint64_t layout_ = 0;  // of the arena when graph_ was recorded
};

}  // namespace adwp
