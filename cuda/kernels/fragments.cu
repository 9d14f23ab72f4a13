// One-warp kernels around each primitive, with operands placed by the layouts that ptx.cuh documents.
#include <memory>

#include "cuda/kernels/math.cuh"
#include "cuda/kernels/primitives.h"
#include "cuda/runtime/device.h"

namespace adwp::ADWP_GPU {

// A copy of a host array on the device, for the time of one call.
template <typename T>
class OnDevice {
 public:
  OnDevice(Device& device, const T* host, std::size_t count)
      : device_(device), bytes_(count * sizeof(T)), data_(static_cast<T*>(device.allocate(bytes_))) {
    device_.write(data_, host, bytes_);
  }
  ~OnDevice() { device_.release(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return data_; }
  void read(T* host) const { device_.read(host, data_, bytes_); }

 private:
  Device& device_;
  std::size_t bytes_;
  T* data_;
};

namespace {

// --- kernels -----------------------------------------------------------------------------------------

__device__ void load_sums(const float* c, float (&sums)[4], int group, int in) {
  UNROLL for (int r = 0; r < 4; ++r) sums[r] = c[(group + r / 2 * 8) * 8 + in * 2 + r % 2];
}
__device__ void store_sums(float* c, const float (&sums)[4], int group, int in) {
  UNROLL for (int r = 0; r < 4; ++r) c[(group + r / 2 * 8) * 8 + in * 2 + r % 2] = sums[r];
}

__global__ void __launch_bounds__(32) tf32_tile(const float* a, const float* b, float* c) {
  const int group = thread_index() / 4, in = thread_index() % 4;
  std::uint32_t x[4], y[2];
  float sums[4];
  UNROLL for (int r = 0; r < 4; ++r) x[r] = ptx::to_tf32(a[(group + r % 2 * 8) * 8 + in + r / 2 * 4]);
  UNROLL for (int r = 0; r < 2; ++r) y[r] = ptx::to_tf32(b[(in + r * 4) * 8 + group]);
  load_sums(c, sums, group, in);
  ptx::mma_tf32(sums, x, y);
  store_sums(c, sums, group, in);
}

__global__ void __launch_bounds__(32) bf16_tile(const float* a, const float* b, float* c) {
  const int group = thread_index() / 4, in = thread_index() % 4;
  std::uint32_t x[4], y[2];
  float sums[4];
  UNROLL for (int r = 0; r < 4; ++r) {
    const float* at = a + (group + r % 2 * 8) * 16 + in * 2 + r / 2 * 8;
    x[r] = ptx::to_bf16x2(at[0], at[1]);
  }
  UNROLL for (int r = 0; r < 2; ++r) {
    const float* at = b + (in * 2 + r * 8) * 8 + group;
    y[r] = ptx::to_bf16x2(at[0], at[8]);
  }
  load_sums(c, sums, group, in);
  ptx::mma_bf16(sums, x, y);
  store_sums(c, sums, group, in);
}

template <bool Transposed>
__global__ void __launch_bounds__(32) matrix_tile(const std::uint16_t* from, std::uint32_t* to) {
  SHARED(std::uint16_t, rows, [32][8]);
  const auto other = 31 - threadIdx.x;  // a row that another lane will name
  UNROLL for (int i = 0; i < 8; ++i) rows[other][i] = from[other * 8 + i];
  __syncwarp();
  std::uint32_t r[4];
  ptx::ldmatrix_x4<Transposed>(r, rows[threadIdx.x]);
  UNROLL for (int i = 0; i < 4; ++i) to[threadIdx.x * 4 + i] = r[i];
}

__global__ void __launch_bounds__(64)
    async_tile(const float* x, const std::int32_t* valid, float* y16, float* y4) {
  SHARED(float, wide, [256]);
  SHARED(float, narrow, [256]);
  const int t = threadIdx.x;
  ptx::cp_async<16>(wide + t * 4, x + t * 4, valid[t] != 0);
  ptx::cp_async_commit();
  UNROLL for (int i = 0; i < 4; ++i) ptx::cp_async<4>(narrow + t * 4 + i, x + t * 4 + i, valid[t] != 0);
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  UNROLL for (int i = 0; i < 4; ++i) y16[t * 4 + i] = wide[t * 4 + i];
  ptx::cp_async_wait<0>();
  __syncthreads();
  UNROLL for (int i = 0; i < 4; ++i) y4[i * 64 + t] = narrow[i * 64 + t];
}

// --- launching ---------------------------------------------------------------------------------------

using Product = void (*)(const float* a, const float* b, float* c);

auto product(const std::shared_ptr<Device>& device, const char* name, Product kernel, std::size_t depth) {
  return [=](const float* a, const float* b, float* c) {
    const OnDevice x(*device, a, 16 * depth), y(*device, b, depth * 8);
    const OnDevice z(*device, c, 128);
    launch(name, kernel, 1, 32, 0, device->stream(), x.data(), y.data(), z.data());
    z.read(c);
  };
}

}  // namespace

// --- primitives, from host memory to host memory -----------------------------------------------------

Primitives primitives() {
  const auto device = std::make_shared<Device>();
  return {.mma_tf32 = product(device, "mma_tf32_tile", tf32_tile, 8),
          .mma_bf16 = product(device, "mma_bf16_tile", bf16_tile, 16),
          .ldmatrix =
              [device](bool transposed, const std::uint16_t* from, std::uint32_t* to) {
                const OnDevice rows(*device, from, 256);
                const OnDevice lanes(*device, to, 128);
                launch("ldmatrix_tile", transposed ? matrix_tile<true> : matrix_tile<false>, 1, 32, 0,
                       device->stream(), rows.data(), lanes.data());
                lanes.read(to);
              },
          .copy =
              [device](const float* x, const std::int32_t* valid, float* y16, float* y4) {
                const OnDevice from(*device, x, 256);
                const OnDevice flags(*device, valid, 64);
                const OnDevice wide(*device, y16, 256), narrow(*device, y4, 256);
                launch("copy_tile", async_tile, 1, 64, 0, device->stream(), from.data(), flags.data(),
                       wide.data(), narrow.data());
                wide.read(y16);
                narrow.read(y4);
              }};
}

}  // namespace adwp::ADWP_GPU
