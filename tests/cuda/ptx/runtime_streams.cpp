// The device, its errors, streams, events and graphs of the CUDA runtime's stand-in.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/cuda/ptx/runtime.h"

using namespace adwp::executor;

namespace {

struct Event {
  std::chrono::steady_clock::time_point time;
  bool done = false;
};

Event* event_of(cudaEvent_t handle) { return reinterpret_cast<Event*>(handle); }

using Nodes = std::vector<Work>;
Nodes* nodes_of(cudaGraph_t handle) { return reinterpret_cast<Nodes*>(handle); }

using SharedNodes = std::shared_ptr<const Nodes>;
SharedNodes* nodes_of(cudaGraphExec_t handle) { return reinterpret_cast<SharedNodes*>(handle); }

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return begin_call("cudaGetDeviceCount", InCapture::allowed);
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return begin_call("cudaGetDevice", InCapture::allowed);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::memset(properties, 0, sizeof(*properties));
  std::strcpy(properties->name, "PTX on the CPU");
  properties->major = 8;
  return begin_call("cudaGetDeviceProperties", InCapture::allowed);
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = runtime().last;
  runtime().last = runtime().sticky;
  return error;
}
cudaError_t cudaPeekAtLastError() { return runtime().last; }
const char* cudaGetErrorString(cudaError_t error) {
  static char text[64];
  std::snprintf(text, sizeof(text), "CUDA error %d of the executor of PTX", static_cast<int>(error));
  return text;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(new char);
  runtime().streams[*stream];
  return begin_call("cudaStreamCreateWithFlags", InCapture::allowed);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t status = drain(stream);
  runtime().streams.erase(stream);
  delete reinterpret_cast<char*>(stream);
  return status;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const cudaError_t status = begin_call("cudaStreamSynchronize", InCapture::refused);
  return status != cudaSuccess ? status : drain(stream);
}
cudaError_t cudaDeviceSynchronize() {
  const cudaError_t status = begin_call("cudaDeviceSynchronize", InCapture::refused);
  return status != cudaSuccess ? status : drain_all();
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = reinterpret_cast<cudaEvent_t>(new Event);
  return begin_call("cudaEventCreate", InCapture::allowed);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const cudaError_t status = drain_all();
  delete event_of(event);
  return status;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t status = begin_call("cudaEventRecord", InCapture::allowed); status != cudaSuccess) {
    return status;
  }
  event_of(event)->done = false;
  return enqueue(stream, [event] { *event_of(event) = {std::chrono::steady_clock::now(), true}; });
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const Event &from = *event_of(start), &to = *event_of(end);
  if (!from.done || !to.done) return noted(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(to.time - from.time).count();
  return begin_call("cudaEventElapsedTime", InCapture::allowed);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Runtime& r = runtime();
  if (const cudaError_t status = begin_call("cudaStreamBeginCapture", InCapture::allowed);
      status != cudaSuccess) {
    return status;
  }
  if (stream == nullptr) return noted(cudaErrorStreamCaptureUnsupported);
  if (r.recording != nullptr) return noted(cudaErrorIllegalState);
  r.recording = std::make_unique<Nodes>();
  r.recording_stream = stream;
  r.spoiled = false;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Runtime& r = runtime();
  *graph = nullptr;
  if (r.recording == nullptr || stream != r.recording_stream) return noted(cudaErrorIllegalState);
  const std::unique_ptr<Nodes> nodes = std::move(r.recording);
  if (r.spoiled) return noted(cudaErrorStreamCaptureInvalidated);
  *graph = reinterpret_cast<cudaGraph_t>(new Nodes(*nodes));
  return begin_call("cudaStreamEndCapture", InCapture::allowed);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete nodes_of(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                          unsigned long long) {
  *executable =
      reinterpret_cast<cudaGraphExec_t>(new SharedNodes(std::make_shared<const Nodes>(*nodes_of(graph))));
  return begin_call("cudaGraphInstantiateWithFlags", InCapture::allowed);
}
// A launch under way keeps the nodes.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete nodes_of(executable);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (const cudaError_t status = begin_call("cudaGraphLaunch", InCapture::allowed); status != cudaSuccess) {
    return status;
  }
  return enqueue(stream, [nodes = *nodes_of(executable)] {
    for (const Work& work : *nodes) work();
  });
}

}  // extern "C"
