// What takes the place of stream capture on the emulated device: while a recording is on, launches, copies
// and fills are kept, with their arguments, instead of done.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace adwp::emulation {

using Recording = std::vector<std::function<void()>>;

// Of the calling thread; nullptr: work is done at once.
inline thread_local Recording* recording = nullptr;

template <typename Work>
void do_or_keep(Work&& work) {
  if (recording == nullptr) return work();
  recording->push_back(std::forward<Work>(work));
}

}  // namespace adwp::emulation
