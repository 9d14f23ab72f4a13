// A CUDA GPU: the current device, one stream, checked calls.
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <cstring>

#include "cuda/runtime/device.h"
#include "framework/core/error.h"

namespace adwp::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the runtime keeps the error too: the next launch would report it as its own
  const char* hint = "";
  if (status == cudaErrorMemoryAllocation) hint = "; lower --arena-mb or --batch";
  if (status == cudaErrorNoKernelImageForDevice) {
    hint = "; this binary was not built for this GPU: add its architecture to -DCMAKE_CUDA_ARCHITECTURES";
  }
  fail("cuda", "{}: {}{}", what, cudaGetErrorString(status), hint);
}

}  // namespace adwp::cuda

namespace adwp::ADWP_GPU {
namespace {

// Copies of up to this many bytes travel through page-locked memory.
constexpr std::size_t staging_bytes = std::size_t{1} << 20;

cudaStream_t native(void* stream) { return static_cast<cudaStream_t>(stream); }

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

// Throws Error when there is none, with what stands in the way.
void require_gpu() {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    cudaDriverGetVersion(&driver);  // 0: none
    cudaRuntimeGetVersion(&runtime);
    require(driver != 0, "cuda", "no NVIDIA driver found; use --device cpu or --device emulated");
    fail("cuda", "the driver is too old, got CUDA {}, expected {} or newer; update the driver",
         version_text(driver), version_text(runtime));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    fail("cuda", "no GPU found; use --device cpu or --device emulated");
  }
  check(status, "looking for a GPU");
}

}  // namespace

Device::Device() {
  require_gpu();
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  stream_ = stream;
  check(cudaMallocHost(&staging_, staging_bytes), "taking page-locked memory");
}
Device::~Device() {
  cudaFreeHost(staging_);
  cudaStreamDestroy(native(stream_));
}

std::string Device::description() const {
  int device = 0, driver = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "device");
  check(cudaGetDeviceProperties(&properties, device), "device properties");
  check(cudaDriverGetVersion(&driver), "driver version");
  return fmt::format("{}, compute capability {}.{}, CUDA driver {}", properties.name, properties.major,
                     properties.minor, version_text(driver));
}

void Device::synchronize() {
  refuse_in_capture("a wait");
  check(cudaStreamSynchronize(native(stream_)), "kernels");
  staged_ = 0;
}

// Between two events on the stream: what the host takes to issue the work does not count, if the device has
// something else to do meanwhile.
double Device::seconds(const std::function<void()>& work) {
  struct Event {
    Event() { check(cudaEventCreate(&event), "an event"); }
    ~Event() { cudaEventDestroy(event); }
    cudaEvent_t event = nullptr;
  };
  const Event start, end;
  check(cudaEventRecord(start.event, native(stream_)), "an event");
  work();
  check(cudaEventRecord(end.event, native(stream_)), "an event");
  synchronize();
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, start.event, end.event), "the time between events");
  return 1e-3 * milliseconds;
}

namespace {

class CudaGraph : public Graph {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    check(cudaGraphInstantiateWithFlags(&executable_, graph, 0), "making a graph executable");
  }
  // A launch under way is not cut off: the runtime frees the graph after it.
  ~CudaGraph() override { cudaGraphExecDestroy(executable_); }
  void launch() override { check(cudaGraphLaunch(executable_, stream_), "launching a graph"); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

// The stream records from here to the end of the block.
class Capture {
 public:
  Capture(cudaStream_t stream, bool& capturing) : stream_(stream), capturing_(capturing) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning to record");
    capturing_ = true;
  }
  ~Capture() {
    if (capturing_) stop();  // the work has failed
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
    cudaGetLastError();  // which says no more than the error that is under way
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t end() {
    check(stop(), "recording");
    return graph_;
  }

 private:
  cudaError_t stop() {
    capturing_ = false;
    return cudaStreamEndCapture(stream_, &graph_);
  }

  cudaStream_t stream_;
  bool& capturing_;
  cudaGraph_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<Graph> Device::capture(const std::function<void()>& work) {
  Capture capture(native(stream_), capturing_);
  work();
  return std::make_unique<CudaGraph>(capture.end(), native(stream_));
}

void* Device::allocate(std::size_t bytes) {
  refuse_in_capture("memory");
  void* pointer = nullptr;
  check(cudaMalloc(&pointer, bytes), fmt::format("taking {} bytes of device memory", bytes).c_str());
  return pointer;
}
void Device::release(void* pointer) noexcept { cudaFree(pointer); }

// Small copies go through page-locked memory, from where the device fetches them without making the host
// wait for what was issued before. Pieces of it are taken in turn; when all are, the device is waited for.
// From pageable memory the runtime has copied `host` away when this returns.
void Device::write(void* device, const void* host, std::size_t bytes) {
  refuse_in_capture("a copy from the host");
  if (bytes <= staging_bytes) {
    if (staged_ + bytes > staging_bytes) synchronize();
    host = std::memcpy(static_cast<std::byte*>(staging_) + staged_, host, bytes);
    staged_ += bytes;
  }
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, native(stream_)), "copy to the device");
}
// The stream orders the arrival behind the copies that have yet to leave the same memory.
void Device::read(void* host, const void* device, std::size_t bytes) {
  refuse_in_capture("a copy to the host");
  void* arrival = bytes <= staging_bytes ? staging_ : host;
  check(cudaMemcpyAsync(arrival, device, bytes, cudaMemcpyDeviceToHost, native(stream_)), "copy to the host");
  synchronize();
  if (arrival != host) std::memcpy(host, arrival, bytes);
}
void Device::copy(void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native(stream_)), "copy on the device");
}
void Device::fill(void* device, std::uint8_t value, std::size_t bytes) {
  check(cudaMemsetAsync(device, value, bytes, native(stream_)), "fill");
}

}  // namespace adwp::ADWP_GPU
