// PTX behind thin functions, so that no kernel holds assembly. cuda/emulation/ptx.h has the same
// functions for the emulated device; tests/cuda/fragments_test.cpp holds both to the same layouts.
#pragma once

#include <cstdint>

#define SHARED(T, name, dims) __shared__ __align__(16) T name dims
#define DYN_SHARED(T, name)                                            \
  extern __shared__ __align__(128) unsigned char dynamic_shared_raw[]; \
  T* name = reinterpret_cast<T*>(dynamic_shared_raw)
#define UNROLL _Pragma("unroll")
#define ADWP_PRAGMA(text) _Pragma(#text)
#define UNROLL_BY(n) ADWP_PRAGMA(unroll n)  // no more than that, for the sake of registers

namespace ptx {

__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// Copies Bytes (4 or 16) from global to shared memory, behind the thread's back; zeros when not valid.
template <int Bytes>
__device__ __forceinline__ void cp_async(void* to, const void* from, bool valid) {
  static_assert(Bytes == 4 || Bytes == 16);
  const int read = valid ? Bytes : 0;
  if constexpr (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from),
                 "r"(read)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared_address(to)), "l"(from),
                 "r"(read)
                 : "memory");
  }
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Waits until at most `Pending` of the latest groups are under way.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
}

// Round to nearest, ties away: 10 bits of mantissa.
__device__ __forceinline__ std::uint32_t to_tf32(float value) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(value));
  return bits;
}
// Two bf16, rounded to nearest even; `low` in the lower half.
__device__ __forceinline__ std::uint32_t to_bf16x2(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

// The two of a word, in f32.
__device__ __forceinline__ float low_bf16(std::uint32_t bits) { return __uint_as_float(bits << 16); }
__device__ __forceinline__ float high_bf16(std::uint32_t bits) { return __uint_as_float(bits & 0xFFFF0000u); }

// 16 bytes to global memory in one access: of some that could be one, nvcc makes four.
__device__ __forceinline__ void store_16(void* to, const std::uint32_t (&words)[4]) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};\n" ::"l"(__cvta_generic_to_global(to)),
               "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
               : "memory");
}

__device__ __forceinline__ void store_16(float* to, const float (&values)[4]) {
  asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};\n" ::"l"(__cvta_generic_to_global(to)),
               "f"(values[0]), "f"(values[1]), "f"(values[2]), "f"(values[3])
               : "memory");
}

// Four 8x8 matrices of 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8.
template <bool Transposed>
__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) {
  const std::uint32_t address = shared_address(row);
  if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  }
}

// c (16, 8) += a (16, 8) b (8, 8), TF32. Lane i holds a[group + 8 (r % 2)][in + 4 (r / 2)],
// b[in + 4 r][group] and c[group + 8 (r / 2)][2 in + r % 2], with group = i / 4, in = i % 4.
__device__ __forceinline__ void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// c (16, 8) += a (16, 16) b (16, 8), bf16: as above with pairs of neighbours in k in one register.
__device__ __forceinline__ void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace ptx
