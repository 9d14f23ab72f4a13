// Stacks to switch between, with what the sanitizers must be told.
//
// Boost.Context's fcontext switches in a few nanoseconds; ucontext, which saves the signal mask with a
// system call, takes forty times as long.
#pragma once

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define ADWP_EMULATION_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ADWP_EMULATION_ASAN 0
#endif
// The scheduler itself is built without -fsanitize=thread, so its build says when kernels have it.
#if !defined(ADWP_EMULATION_TSAN)
#define ADWP_EMULATION_TSAN 0
#endif
#if ADWP_EMULATION_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace adwp::emulation {

namespace tsan {
#if ADWP_EMULATION_TSAN
inline void acquire(void* at) { __tsan_acquire(at); }
inline void release(void* at) { __tsan_release(at); }
inline void* current() { return __tsan_get_current_fiber(); }
inline void* create() { return __tsan_create_fiber(0); }
inline void destroy(void* fiber) { __tsan_destroy_fiber(fiber); }
inline void switch_to(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }  // 1: orders nothing
#else
inline void acquire(void*) {}
inline void release(void*) {}
inline void* current() { return nullptr; }
inline void* create() { return nullptr; }
inline void destroy(void*) {}
inline void switch_to(void*) {}
#endif
}  // namespace tsan

namespace asan {
#if ADWP_EMULATION_ASAN
inline void poison(void* at, std::size_t bytes) { __asan_poison_memory_region(at, bytes); }
inline void unpoison(void* at, std::size_t bytes) { __asan_unpoison_memory_region(at, bytes); }
inline void leave(void** save, const void* bottom, std::size_t size) {
  __sanitizer_start_switch_fiber(save, bottom, size);
}
inline void arrive(void* saved, const void** bottom, std::size_t* size) {
  __sanitizer_finish_switch_fiber(saved, bottom, size);
}
#else
inline void poison(void*, std::size_t) {}
inline void unpoison(void*, std::size_t) {}
inline void leave(void**, const void*, std::size_t) {}
inline void arrive(void*, const void**, std::size_t*) {}
#endif
}  // namespace asan

// Sanitized code needs deeper stacks.
inline constexpr std::size_t stack_bytes = (ADWP_EMULATION_ASAN ? 256 : 64) << 10;

// Stacks with an unmapped page below, kept for reuse.
class StackPool {
 public:
  char* take() {
    if (!free_.empty()) {
      char* stack = free_.back();
      free_.pop_back();
      asan::unpoison(stack, stack_bytes);
      return stack;
    }
    constexpr std::size_t page = 4096;
    void* mapped = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      std::perror("emulation: no memory for another stack");
      std::abort();
    }
    mprotect(mapped, page, PROT_NONE);
    return static_cast<char*>(mapped) + page;
  }
  void give(char* stack) { free_.push_back(stack); }

 private:
  std::vector<char*> free_;
};

struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;
  char* stack = nullptr;
  void* fake_stack = nullptr;  // AddressSanitizer's
  void* tsan = nullptr;
};

}  // namespace adwp::emulation
