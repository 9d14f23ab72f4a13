// Lab 2: what kernels.cu defines. c (m, n) = a (m, k) b (k, n), all row-major, for any sizes of at least 1.
#pragma once

#include "course/common/counted.cuh"

namespace lab {

// A thread an element of c, blocks of 16 x 16 threads, threadIdx.x along the columns.
void naive(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k);

// The same blocks; 16 x 16 tiles of a and b in shared memory.
void tiled(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k);

// The same blocks; 64 x 64 tiles of c, of which a thread holds 4 x 4 in registers, in steps of 16 along k.
void registers(Global<const float> a, Global<const float> b, Global<float> c, int m, int n, int k);

}  // namespace lab
