#include "tests/cuda/ptx/runtime.h"

#include <cstdio>
#include <cstdlib>

#include "tests/cuda/ptx/report.h"

namespace adwp::executor {
namespace {

std::string setting(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

std::uint64_t number_setting(const char* name, std::uint64_t otherwise) {
  const std::string text = setting(name);
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

// What a GPU's driver reports for a kernel's fault.
cudaError_t error_of(KernelFault::Kind kind) {
  switch (kind) {
    case KernelFault::Kind::address:
      return cudaErrorIllegalAddress;
    case KernelFault::Kind::misaligned:
      return cudaErrorMisalignedAddress;
    default:
      return cudaErrorLaunchFailure;
  }
}

}  // namespace

Runtime::Runtime() {
  options.seed = number_setting("ADWPNAS_PTX_SEED", 0);
  options.races = number_setting("ADWPNAS_PTX_RACES", 1) != 0;
  options.truncated_sums = setting("ADWPNAS_PTX_SUMS") == "truncated";
  architecture = static_cast<std::uint32_t>(number_setting("ADWPNAS_PTX_ARCH", 0));
  report = setting("ADWPNAS_PTX_REPORT");
  options.sample = number_setting("ADWPNAS_PTX_SAMPLE", 0);
  options.counters = !report.empty();
}

Runtime::~Runtime() {
  if (!report.empty()) write_report(modules, report);
}

Runtime& runtime() {
  static Runtime* made = [] {
    auto* fresh = new Runtime;  // lives longer than objects whose destructors free device memory
    std::atexit([] { delete &runtime(); });
    return fresh;
  }();
  return *made;
}

cudaError_t noted(cudaError_t status) {
  if (status != cudaSuccess) runtime().last = status;
  return status;
}

cudaError_t begin_call(const char* name, InCapture rule) {
  Runtime& r = runtime();
  if (r.sticky != cudaSuccess) return noted(r.sticky);
  if (r.recording == nullptr || rule == InCapture::allowed) return cudaSuccess;
  std::fprintf(stderr, "ptx: %s during a capture\n", name);
  r.spoiled = true;
  return noted(cudaErrorStreamCaptureUnsupported);
}

cudaError_t enqueue(cudaStream_t stream, Work work) {
  constexpr std::size_t longest_queue = 5000;
  Runtime& r = runtime();
  if (r.recording != nullptr && stream == r.recording_stream) {
    r.recording->push_back(std::move(work));
    return cudaSuccess;
  }
  if (r.recording != nullptr && stream == nullptr) {  // the default stream would wait for the captured one
    std::fprintf(stderr, "ptx: work on the default stream during a capture\n");
    r.spoiled = true;
    return noted(cudaErrorStreamCaptureImplicit);
  }
  r.streams[stream].push_back(std::move(work));
  return r.streams[stream].size() > longest_queue ? drain(stream) : cudaSuccess;
}

cudaError_t drain(cudaStream_t stream) {
  Runtime& r = runtime();
  std::deque<Work>& queue = r.streams[stream];
  while (!queue.empty()) {
    const Work work = std::move(queue.front());
    queue.pop_front();
    if (r.sticky != cudaSuccess) continue;
    try {
      work();
    } catch (const KernelFault& fault) {
      std::fprintf(stderr, "ptx: %s\n", fault.what());
      r.sticky = error_of(fault.kind);
    }
  }
  return noted(r.sticky);
}

cudaError_t drain_all() {
  for (auto& [stream, queue] : runtime().streams) {
    if (!queue.empty()) drain(stream);
  }
  return noted(runtime().sticky);
}

Work on_memory(std::uint64_t bytes, Work work, bool from_host) {
  return [bytes, work = std::move(work), from_host] {
    work();
    if (runtime().tell) runtime().tell({.bytes = bytes, .from_host = from_host});
  };
}

bool inside(const Regions& regions, const void* pointer, std::size_t bytes) {
  return within(regions, reinterpret_cast<std::uint64_t>(pointer), bytes);
}

}  // namespace adwp::executor
