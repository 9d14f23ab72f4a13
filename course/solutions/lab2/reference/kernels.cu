// Lab 2: the reference solution.
#include "course/lab2/lab.h"

namespace lab {
namespace {

__global__ void naive_kernel(Global<const float> a, Global<const float> b, Global<float> c, int m, int n,
                             int k) {
  const int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
  if (row >= m || column >= n) return;
  float sum = 0;
  for (int i = 0; i < k; ++i) sum += a[row * k + i] * b[i * n + column];
  c[row * n + column] = sum;
}

__global__ void tiled_kernel(Global<const float> a, Global<const float> b, Global<float> c, int m, int n,
                             int k) {
  SHARED_ARRAY(tile_a, 256);
  SHARED_ARRAY(tile_b, 256);
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float sum = 0;
  for (int first = 0; first < k; first += 16) {
    tile_a[y * 16 + x] = row < m && first + x < k ? a[row * k + first + x] : 0;
    tile_b[y * 16 + x] = column < n && first + y < k ? b[(first + y) * n + column] : 0;
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum += tile_a[y * 16 + i] * tile_b[i * 16 + x];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

// Thread (x, y) has rows y + 16 i and columns x + 16 j of the tile: neighbours ask neighbouring banks.
__global__ void registers_kernel(Global<const float> a, Global<const float> b, Global<float> c, int m, int n,
                                 int k) {
  SHARED_ARRAY(tile_a, 64 * 16);
  SHARED_ARRAY(tile_b, 16 * 64);
  const int x = threadIdx.x, y = threadIdx.y, thread = y * 16 + x;
  const int top = blockIdx.y * 64, left = blockIdx.x * 64;
  float sums[4][4] = {};
  for (int first = 0; first < k; first += 16) {
    for (int i = thread; i < 1024; i += 256) {
      const int row_a = top + i / 16, column_a = first + i % 16, row_b = first + i / 64,
                column_b = left + i % 64;
      tile_a[i] = row_a < m && column_a < k ? a[row_a * k + column_a] : 0;
      tile_b[i] = row_b < k && column_b < n ? b[row_b * n + column_b] : 0;
    }
    __syncthreads();
    for (int step = 0; step < 16; ++step) {
      float from_a[4], from_b[4];
      for (int i = 0; i < 4; ++i) from_a[i] = tile_a[(y + 16 * i) * 16 + step];
      for (int j = 0; j < 4; ++j) from_b[j] = tile_b[step * 64 + x + 16 * j];
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) sums[i][j] += from_a[i] * from_b[j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const int row = top + y + 16 * i, column = left + x + 16 * j;
      if (row < m && column < n) c[row * n + column] = sums[i][j];
    }
  }
}

unsigned tiles(int extent, int side) { return (extent + side - 1) / side; }

}  // namespace

void naive(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k) {
  launch("naive", naive_kernel, {tiles(n, 16), tiles(m, 16)}, dim3(16, 16), 0, nullptr, a, b, c, m, n, k);
}

void tiled(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k) {
  launch("tiled", tiled_kernel, {tiles(n, 16), tiles(m, 16)}, dim3(16, 16), 0, nullptr, a, b, c, m, n, k);
}

void registers(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k) {
  launch("registers", registers_kernel, {tiles(n, 64), tiles(m, 64)}, dim3(16, 16), 0, nullptr, a, b, c, m, n,
         k);
}

}  // namespace lab
