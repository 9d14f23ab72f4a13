// The stand-in for the CUDA runtime: work is done as late as CUDA allows, and refused where CUDA refuses it.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

namespace adwp::executor {
namespace {

class PtxRuntime : public testing::Test {
 protected:
  static constexpr std::size_t bytes = 4 * sizeof(float);

  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaMalloc(&device, bytes), cudaSuccess);
    void* made = nullptr;
    ASSERT_EQ(cudaMallocHost(&made, bytes), cudaSuccess);
    locked = static_cast<float*>(made);
  }
  void TearDown() override {
    EXPECT_EQ(cudaFree(device), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(locked), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(other), cudaSuccess);
    cudaGetLastError();
  }
  // The first float of device memory, by way of pageable memory, which waits for the stream.
  float first() {
    std::array<float, 4> values{};
    EXPECT_EQ(cudaMemcpyAsync(values.data(), device, bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    return values[0];
  }
  cudaError_t send(const float* from) {
    return cudaMemcpyAsync(device, from, bytes, cudaMemcpyHostToDevice, stream);
  }

  cudaStream_t stream = nullptr, other = nullptr;
  void* device = nullptr;
  float* locked = nullptr;
};

TEST_F(PtxRuntime, NewMemoryHoldsNaN) { EXPECT_TRUE(std::isnan(first())); }

TEST_F(PtxRuntime, PageLockedMemoryIsReadAtTheWait) {
  locked[0] = 1;
  ASSERT_EQ(send(locked), cudaSuccess);
  locked[0] = 2;
  EXPECT_EQ(first(), 2);
}

TEST_F(PtxRuntime, PageableMemoryIsReadAtTheCall) {
  float pageable[4] = {1, 1, 1, 1};
  ASSERT_EQ(send(pageable), cudaSuccess);
  pageable[0] = 2;
  EXPECT_EQ(first(), 1);
}

TEST_F(PtxRuntime, PageLockedMemoryIsWrittenAtTheWait) {
  locked[0] = 7;
  ASSERT_EQ(cudaMemsetAsync(device, 0, bytes, stream), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(locked, device, bytes, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(locked[0], 7);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(locked[0], 0);
}

TEST_F(PtxRuntime, AStreamIsNotWaitedForByAnother) {
  ASSERT_EQ(cudaMemsetAsync(device, 0, bytes, other), cudaSuccess);
  EXPECT_TRUE(std::isnan(first()));
  ASSERT_EQ(cudaStreamSynchronize(other), cudaSuccess);
  EXPECT_EQ(first(), 0);
}

TEST_F(PtxRuntime, FreeingWaitsForAllStreams) {
  void* more = nullptr;
  ASSERT_EQ(cudaMalloc(&more, bytes), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(device, 0, bytes, other), cudaSuccess);
  ASSERT_EQ(cudaFree(more), cudaSuccess);
  EXPECT_EQ(first(), 0);
  EXPECT_EQ(cudaFree(more), cudaErrorInvalidValue) << "twice";
}

TEST_F(PtxRuntime, CopiesStayWithinDeviceMemory) {
  EXPECT_EQ(cudaMemsetAsync(device, 0, bytes + 1, stream), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(locked, locked, bytes, cudaMemcpyHostToDevice, stream), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  void* huge = nullptr;
  EXPECT_EQ(cudaMalloc(&huge, std::size_t{1} << 50), cudaErrorMemoryAllocation);
  EXPECT_EQ(huge, nullptr);
}

TEST_F(PtxRuntime, AGraphDoesItsWorkWhenItIsLaunched) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaMemsetAsync(device, 1, bytes, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(device, 0, bytes, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiateWithFlags(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_NE(first(), 0);
  ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
  ASSERT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(first(), 0);
}

TEST_F(PtxRuntime, ACaptureIsSpoiledByWhatCudaRefuses) {
  void* made = nullptr;
  float pageable[4] = {};
  const std::function<cudaError_t()> refused[] = {
      [&] { return cudaStreamSynchronize(stream); },
      [&] { return cudaDeviceSynchronize(); },
      [&] { return cudaMalloc(&made, bytes); },
      [&] { return cudaFree(device); },
      [&] { return send(pageable); },
      [&] { return cudaMemcpyAsync(pageable, device, bytes, cudaMemcpyDeviceToHost, stream); },
      [&] { return cudaMemsetAsync(device, 0, bytes, nullptr); }};
  for (const auto& call : refused) {
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    EXPECT_NE(call(), cudaSuccess);
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  }
  EXPECT_EQ(cudaMemsetAsync(device, 0, bytes, stream), cudaSuccess) << "the stream is none the worse";
  EXPECT_EQ(first(), 0);
}

TEST_F(PtxRuntime, TimesStandAfterTheWait) {
  cudaEvent_t start = nullptr, end = nullptr;
  float milliseconds = -1;
  ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(start, stream), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventDestroy(start), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
}

}  // namespace
}  // namespace adwp::executor
