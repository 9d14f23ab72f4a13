// The devices that this binary can use, and the memory that a run takes from one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "framework/backend/backend.h"

namespace adwp::apps {

// The devices, in the order in which `--device auto` prefers them. A device refuses what it does not have
// with a usage Error when it is opened.
//   threads    of the CPU device; 0: one per core
//   precision  in which convolutions and matrix products multiply: f32, tf32 or bf16; cpu has no tf32,
//              and bf16 for dense convolutions in training (cpu/cpu_backend.h); cuda and emulated store
//              values and gradients by them in bf16 then (Backend::storage)
//   engine     whose kernels compute them (cuda/cuda_backend.h): hand, vendor or auto; only cuda has other
//              engines than hand
Registry devices(int threads = 0, const std::string& precision = "f32", const std::string& engine = "hand");

// The device and its hardware, e.g. "cpu (Intel(R) Xeon(R) Processor, 2 threads)": its name in results.
std::string full_name(const Backend& backend);
// The same as far as bits depend on it: what a run that is resumed must find again.
std::string bits_name(const Backend& backend);

// What a run allocates, measured.
struct ArenaNeed {
  std::function<void(Arena&)> lay_out;  // allocates all of it in an arena that only counts
  std::size_t margin = 16;              // adds a part in so many, where other networks leave other gaps
  std::string run;                      // what the run is, for the message
};

// Measures the need and makes the run's arena: of that size, or of `megabytes` if they are not 0. `say` gets
// one line with run, device and sizes. Throws a usage Error when `megabytes` are too few.
std::unique_ptr<Arena> measured_arena(Backend& backend, const ArenaNeed& need, std::size_t megabytes,
                                      const std::function<void(const std::string&)>& say);

}  // namespace adwp::apps
