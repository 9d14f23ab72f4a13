// Lab 2: naive is written; tiled and registers are yours. docs/course/lab2.md has the steps.
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

// Yours: load a 16 x 16 tile of a and one of b, wait, multiply, wait, go on along k.
__global__ void tiled_kernel(Global<const float> a, Global<const float> b, Global<float> c, int m, int n,
                             int k) {}

// Yours: load a 64 x 16 tile of a and a 16 x 64 tile of b; for each step along k take four numbers of each
// into registers and do 16 multiply-adds.
__global__ void registers_kernel(Global<const float> a, Global<const float> b, Global<float> c, int m, int n,
                                 int k) {}

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
