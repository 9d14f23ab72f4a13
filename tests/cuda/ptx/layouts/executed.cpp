#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda/ptx/layouts/warps.h"
#include "tests/cuda/ptx/machine.h"

namespace adwp::layouts {
namespace {

using executor::Launch;
using executor::Module;

// A kernel k(first, second, third) of pointers in %rd1 to %rd3; %r1: the lane.
Module module_of(const std::string& body) {
  return executor::parse(
      ".visible .entry k(\n.param .u64 p0,\n.param .u64 p1,\n.param .u64 p2\n)\n{\n"
      ".shared .align 16 .b8 tile[512];\nld.param.u64 %rd1, [p0];\nld.param.u64 %rd2, [p1];\nld.param.u64 "
      "%rd3, [p2];\n"
      "mov.u32 %r1, %tid.x;\nmul.wide.u32 %rd4, %r1, 16;\nmul.wide.u32 %rd5, %r1, 8;\n" +
      body + "ret;\n}\n");
}

void run_warp(const Module& module, const void* first, const void* second, const void* third) {
  Launch launch{module.at("k").get(), {}, {32, 1, 1}, std::vector<unsigned char>(24), 0};
  const void* pointers[] = {first, second, third};
  std::memcpy(launch.parameters.data(), pointers, sizeof(pointers));
  executor::run(launch, {{0, ~std::uint64_t{0}}}, {});
}

void mma(const std::string& shape, const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]) {
  const Module module = module_of(
      "add.s64 %rd6, %rd1, %rd4;\nadd.s64 %rd7, %rd2, %rd5;\nadd.s64 %rd8, %rd3, %rd4;\n"
      "ld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%rd6];\nld.global.v2.u32 {%r6,%r7}, [%rd7];\n"
      "ld.global.v4.f32 {%f1,%f2,%f3,%f4}, [%rd8];\nmma.sync.aligned." +
      shape + " {%f1,%f2,%f3,%f4}, {%r2,%r3,%r4,%r5}, {%r6,%r7}, {%f1,%f2,%f3,%f4};\n" +
      "st.global.v4.f32 [%rd8], {%f1,%f2,%f3,%f4};\n");
  alignas(16) std::uint32_t own_a[32][4], own_b[32][2];
  alignas(16) float own_c[32][4];
  std::memcpy(own_a, a, sizeof(own_a));
  std::memcpy(own_b, b, sizeof(own_b));
  std::memcpy(own_c, c, sizeof(own_c));
  run_warp(module, own_a, own_b, own_c);
  std::memcpy(c, own_c, sizeof(own_c));
}
void mma_tf32(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]) {
  mma("m16n8k8.row.col.f32.tf32.tf32.f32", a, b, c);
}
void mma_bf16(const std::uint32_t (*a)[4], const std::uint32_t (*b)[2], float (*c)[4]) {
  mma("m16n8k16.row.col.f32.bf16.bf16.f32", a, b, c);
}

void ldmatrix(bool transposed, const std::uint16_t* rows, std::uint32_t (*r)[4]) {
  const Module module = module_of(
      "add.s64 %rd6, %rd1, %rd4;\nld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%rd6];\nshl.b32 %r6, %r1, 4;\n"
      "mov.u32 %r7, tile;\nadd.s32 %r8, %r7, %r6;\nst.shared.v4.u32 [%r8], {%r2,%r3,%r4,%r5};\nbar.sync 0;\n"
      "ldmatrix.sync.aligned.m8n8.x4." +
      std::string(transposed ? "trans." : "") +
      "shared.b16 {%r2,%r3,%r4,%r5}, [%r8];\nadd.s64 %rd7, %rd2, %rd4;\n"
      "st.global.v4.u32 [%rd7], {%r2,%r3,%r4,%r5};\n");
  alignas(16) std::uint16_t own_rows[256];
  alignas(16) std::uint32_t own_r[32][4];
  std::memcpy(own_rows, rows, sizeof(own_rows));
  run_warp(module, own_rows, own_r, nullptr);
  std::memcpy(r, own_r, sizeof(own_r));
}

}  // namespace

Warps executed() { return {"PTX", mma_tf32, mma_bf16, ldmatrix}; }

}  // namespace adwp::layouts
