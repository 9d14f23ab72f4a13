// The executor of PTX itself, on small texts with known results, and that its checks fire.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/cuda/ptx/counts.h"

namespace adwp::executor {
namespace {

// A kernel with one parameter, a pointer in %rd1; `declarations` and `body` go where PTX has them.
std::string kernel_text(const std::string& body, const std::string& declarations = "") {
  return ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(\n.param .u64 k_param_0\n)\n{\n" +
         declarations + "ld.param.b64 %rd1, [k_param_0];\n" + body + "\nret;\n}\n";
}

class Ptx : public testing::Test {
 protected:
  // Runs one block, `memory` behind the parameter.
  template <typename T>
  void run_block(const std::string& text, std::vector<T>& memory, std::uint32_t threads = 32) {
    const Module module = parse(text);
    Launch launch{module.at("k").get(), {}, {threads, 1, 1}, std::vector<unsigned char>(8), 0};
    const auto begin = reinterpret_cast<std::uint64_t>(memory.data());
    std::memcpy(launch.parameters.data(), &begin, sizeof(begin));
    run(launch, {{begin, begin + memory.size() * sizeof(T)}}, options);
  }
  // The fault's text; empty: none.
  std::string fault_of(const std::string& body, const std::string& declarations = "",
                       std::uint32_t threads = 32) {
    std::vector<std::uint32_t> memory(1024);
    try {
      run_block(kernel_text(body, declarations), memory, threads);
    } catch (const KernelFault& fault) {
      return fault.what();
    }
    return "";
  }
  // %f3 = operation of %f1 = a, %f2 = b.
  float float_result(const std::string& operation, float a, float b = 0) {
    std::vector<float> memory = {a, b, 0};
    run_block(kernel_text("ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [%rd1+4];\n" + operation +
                          ";\nst.global.f32 [%rd1+8], %f3;"),
              memory, 1);
    return memory[2];
  }
  std::uint32_t integer_result(const std::string& operation, std::uint32_t a, std::uint32_t b = 0) {
    std::vector<std::uint32_t> memory = {a, b, 0};
    run_block(kernel_text("ld.global.u32 %r1, [%rd1];\nld.global.u32 %r2, [%rd1+4];\n" + operation +
                          ";\nst.global.u32 [%rd1+8], %r3;"),
              memory, 1);
    return memory[2];
  }

  Options options;
};

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST_F(Ptx, FloatingPoint) {
  EXPECT_EQ(float_result("add.f32 %f3, %f1, %f2", 1.5f, 2), 3.5f);
  EXPECT_EQ(float_result("fma.rn.f32 %f3, %f1, %f1, %f2", 1 + 0x1p-12f, -1), 0x1p-11f + 0x1p-24f);
  EXPECT_EQ(float_result("max.f32 %f3, %f1, %f2", nan, 2), 2);
  EXPECT_EQ(float_result("min.f32 %f3, %f1, %f2", -3, 2), -3);
  EXPECT_EQ(float_result("cvt.sat.f32.f32 %f3, %f1", nan), 0);
  EXPECT_EQ(float_result("ex2.approx.ftz.f32 %f3, %f1", -140), 0) << "subnormal";
  EXPECT_EQ(float_result("cvt.rni.f32.f32 %f3, %f1", 2.5f), 2) << "ties to even";
  EXPECT_EQ(float_result("cvt.rzi.f32.f32 %f3, %f1", -2.7f), -2);
  EXPECT_EQ(float_result("cvt.rmi.f32.f32 %f3, %f1", -2.1f), -3);
  EXPECT_EQ(float_result("cvt.rpi.f32.f32 %f3, %f1", 2.1f), 3);
  const auto to_int = [&](float x) {
    return float_result("cvt.rzi.s32.f32 %r3, %f1;\ncvt.rn.f32.s32 %f3, %r3", x);
  };
  EXPECT_EQ(to_int(-2.9f), -2);
  EXPECT_EQ(to_int(1e20f), 0x1p31f) << "the most there is";
  EXPECT_EQ(to_int(nan), 0);
  EXPECT_EQ(float_result("mov.f32 %f3, 0f3F000000", 0), 0.5f);
}

TEST_F(Ptx, FmaTowardsMinusInfinity) {
  EXPECT_EQ(float_result("fma.rm.f32 %f3, %f1, %f2, 0f3F800000", 0x1p-30f, 1), 1);
  EXPECT_EQ(float_result("fma.rm.f32 %f3, %f1, %f2, 0f3F800000", 0x1p-60f, -0x1p-30f), 1 - 0x1p-24f);
  EXPECT_EQ(float_result("fma.rm.f32 %f3, %f1, %f2, 0f3F800000", 3, 5), 16);
  EXPECT_EQ(float_result("fma.rm.f32 %f3, %f1, %f2, 0f00000000", 1 + 0x1p-23f, -(1 + 0x1p-23f)),
            -(1 + 0x1p-22f + 0x1p-23f));
}

TEST_F(Ptx, Comparisons) {
  const std::string choose = ";\nselp.b32 %r3, 1, 0, %p1";
  auto holds = [&](const std::string& compare, float a, float b) {
    std::vector<float> memory = {a, b, 0};
    run_block(
        kernel_text(
            "ld.global.f32 %f1, [%rd1];\nld.global.f32 %f2, [%rd1+4];\n" + compare +
            " %p1, %f1, %f2;\nselp.f32 %f3, 0f3F800000, 0f00000000, %p1;\nst.global.f32 [%rd1+8], %f3;"),
        memory, 1);
    return memory[2] == 1;
  };
  EXPECT_TRUE(holds("setp.lt.f32", 1, 2));
  EXPECT_FALSE(holds("setp.lt.f32", 1, nan));
  EXPECT_TRUE(holds("setp.ltu.f32", 1, nan));
  EXPECT_FALSE(holds("setp.ne.f32", 1, nan));
  EXPECT_TRUE(holds("setp.neu.f32", 1, nan));
  EXPECT_TRUE(holds("setp.ge.f32", infinity, 1));
  EXPECT_EQ(integer_result("setp.lt.s32 %p1, %r1, %r2" + choose, -1u, 1), 1u);
  EXPECT_EQ(integer_result("setp.lt.u32 %p1, %r1, %r2" + choose, -1u, 1), 0u);
}

TEST_F(Ptx, Integers) {
  EXPECT_EQ(integer_result("mul.hi.s32 %r3, %r1, %r2", -2u, 3), -1u);
  EXPECT_EQ(integer_result("mul.hi.u32 %r3, %r1, %r2", -2u, 3), 2u);
  EXPECT_EQ(integer_result("div.s32 %r3, %r1, %r2", -7u, 2), -3u);
  EXPECT_EQ(integer_result("rem.s32 %r3, %r1, %r2", -7u, 2), -1u);
  EXPECT_EQ(integer_result("shr.s32 %r3, %r1, %r2", -8u, 40), -1u) << "shifts stop at 31";
  EXPECT_EQ(integer_result("bfi.b32 %r3, %r1, %r2, 8, 4", 0xFA, 0x12345678), 0x12345A78u);
  EXPECT_EQ(integer_result("bfi.b32 %r3, %r1, %r2, 24, 16", 0xABCD, 0), 0xCD000000u) << "what passes the end";
  EXPECT_EQ(integer_result("bfi.b32 %r3, %r1, %r2, 0, 32", 5, 9), 5u);
  EXPECT_EQ(integer_result("shl.b32 %r3, %r1, %r2", 1, 32), 0u);
  EXPECT_EQ(integer_result("prmt.b32 %r3, %r1, %r2, 30212", 0x33221100, 0x77665544), 0x77660044u);
  EXPECT_EQ(integer_result("prmt.b32 %r3, %r1, %r2, 60424", 0x80, 0x00F00000), 0xFF0080FFu) << "signs";
  EXPECT_EQ(integer_result("dp2a.lo.u32.u32 %r3, %r1, %r2, 7", 0x00050003, 0x09090201), 3 * 1 + 5 * 2 + 7u);
  EXPECT_EQ(integer_result("mov.b64 %rd2, {%r1, %r2};\nmov.b64 {%r4, %r3}, %rd2", 5, 9), 9u);
}

// PTX ISA: cvt.rna of tf32 keeps 10 bits of mantissa, halves away from zero; bf16 keeps 7, halves to even.
TEST_F(Ptx, RoundingToTf32AndBf16) {
  const std::string tf32 = "cvt.rna.tf32.f32 %r3, %f1;\nmov.b32 %f3, %r3";
  EXPECT_EQ(float_result(tf32, 1 + 0x1p-11f), 1 + 0x1p-10f);
  EXPECT_EQ(float_result(tf32, 1 + 0x1p-11f - 0x1p-23f), 1);
  EXPECT_EQ(float_result(tf32, -(1 + 3 * 0x1p-11f)), -(1 + 0x1p-9f));
  EXPECT_EQ(float_result(tf32, infinity), infinity);
  const std::string bf16 = "cvt.rn.bf16x2.f32 %r3, %f1, %f2;\nand.b32 %r4, %r3, -65536;\nmov.b32 %f3, %r4";
  EXPECT_EQ(float_result(bf16, 1 + 0x1p-8f), 1);
  EXPECT_EQ(float_result(bf16, 1 + 3 * 0x1p-8f), 1 + 0x1p-6f);
  EXPECT_EQ(float_result("cvt.rn.bf16x2.f32 %r3, %f1, %f2;\nshl.b32 %r4, %r3, 16;\nmov.b32 %f3, %r4", 9, 2),
            2)
      << "the second operand is the lower half";
}

// Of a function that several kernels have: it stands before them.
TEST_F(Ptx, SharedMemoryOutsideOfKernels) {
  std::vector<std::uint32_t> memory(2);
  run_block(
      ".shared .align 16 .b8 common[64];\n" +
          kernel_text("mov.u32 %r1, common;\nmov.u32 %r2, own;\nst.shared.u32 [%r1+60], 7;\n"
                      "st.shared.u32 [%r2], 9;\nld.shared.u32 %r3, [%r1+60];\nst.global.u32 [%rd1], %r3;",
                      ".shared .align 16 .b8 own[8];\n"),
      memory, 1);
  EXPECT_EQ(memory[0], 7u);
}

// Lanes part at a branch and meet again; each keeps its own way.
TEST_F(Ptx, LanesPartAndMeet) {
  std::vector<std::uint32_t> memory(64);
  run_block(kernel_text(R"(mov.u32 %r1, %tid.x;
    and.b32 %r2, %r1, 1;
    setp.eq.b32 %p1, %r2, 0;
    @%p1 bra $even;
    mov.u32 %r3, 100;
    bra.uni $both;
    $even:
    mov.u32 %r3, 200;
    $both:
    add.s32 %r4, %r3, %r1;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd3, %rd1, %rd2;
    st.global.u32 [%rd3], %r4;)"),
            memory, 40);
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(memory[i], i + (i % 2 == 0 ? 200 : 100));
  EXPECT_EQ(memory[40], 0u) << "threads that there are not";
}

const std::string shared_words = ".shared .align 16 .b8 words[256];\n";
// %r1: the thread, %r2: the address of its own word, %r3: of its neighbour's.
const std::string own_and_neighbour = R"(mov.u32 %r1, %tid.x;
    mov.u32 %r9, words;
    shl.b32 %r4, %r1, 2;
    add.s32 %r2, %r9, %r4;
    xor.b32 %r5, %r4, NEIGHBOUR;
    add.s32 %r3, %r9, %r5;
    st.shared.u32 [%r2], %r1;
    WAIT
    ld.shared.u32 %r6, [%r3];
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd3, %rd1, %rd2;
    st.global.u32 [%rd3], %r6;)";

std::string exchange(const std::string& neighbour, const std::string& wait) {
  std::string text = own_and_neighbour;
  text.replace(text.find("NEIGHBOUR"), 9, neighbour);
  return text.replace(text.find("WAIT"), 4, wait);
}

TEST_F(Ptx, BarriersOrderSharedMemory) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    std::vector<std::uint32_t> memory(64);
    run_block(kernel_text(exchange("128", "bar.sync 0;"), shared_words), memory, 64);
    for (std::uint32_t i = 0; i < 64; ++i) EXPECT_EQ(memory[i], i ^ 32) << seed;
    run_block(kernel_text(exchange("4", "bar.warp.sync -1;"), shared_words), memory, 64);
    for (std::uint32_t i = 0; i < 64; ++i) EXPECT_EQ(memory[i], i ^ 1) << seed;
  }
}

TEST_F(Ptx, RacesAreSeen) {
  const std::string between_warps = fault_of(exchange("128", ""), shared_words, 64);
  EXPECT_NE(between_warps.find("race: write after another thread read"), std::string::npos) << between_warps;
  EXPECT_NE(between_warps.find("k: "), std::string::npos) << between_warps;
  EXPECT_NE(between_warps.find("'st.shared.u32 [%r2], %r1', block (0,0,0) thread (32,0,0)"),
            std::string::npos)
      << between_warps;
  EXPECT_NE(fault_of(exchange("128", "bar.warp.sync -1;"), shared_words, 64), "") << "orders one warp only";
  EXPECT_NE(fault_of(exchange("4", ""), shared_words, 64), "") << "lanes of one warp";
  EXPECT_EQ(fault_of(exchange("0", ""), shared_words, 64), "") << "of one's own word";
  const std::string write_after_read = exchange("128", "bar.sync 0;") + "\nst.shared.u32 [%r2], %r1;";
  EXPECT_NE(fault_of(write_after_read, shared_words, 64).find("race: "), std::string::npos);
  EXPECT_EQ(
      fault_of(exchange("128", "bar.sync 0;") + "\nbar.sync 0;\nst.shared.u32 [%r2], %r1;", shared_words, 64),
      "");
  options.races = false;
  options.seed = 0;
  EXPECT_EQ(fault_of(exchange("128", ""), shared_words, 64), "");
}

// Without the watch the order of warps shows the same fault in the result, under some seed.
TEST_F(Ptx, OrdersOfWarpsDiffer) {
  options.races = false;
  bool wrong = false, right = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    options.seed = seed;
    std::vector<std::uint32_t> memory(64);
    run_block(kernel_text(exchange("128", ""), shared_words), memory, 64);
    bool all = true;
    for (std::uint32_t i = 0; i < 32; ++i) all &= memory[i] == (i ^ 32);
    (all ? right : wrong) = true;
  }
  EXPECT_TRUE(wrong);
}

TEST_F(Ptx, BoundsAndAlignment) {
  EXPECT_EQ(fault_of("st.global.u32 [%rd1+4092], 1;"), "");
  EXPECT_NE(fault_of("st.global.u32 [%rd1+4096], 1;").find("illegal address"), std::string::npos);
  EXPECT_NE(fault_of("ld.global.u32 %r1, [%rd1+-4];").find("illegal address"), std::string::npos);
  EXPECT_NE(
      fault_of("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+4];").find("misaligned access of 16 bytes"),
      std::string::npos);
  EXPECT_NE(
      fault_of("mov.u32 %r9, words;\nld.shared.u32 %r1, [%r9+256];", shared_words).find("out of shared"),
      std::string::npos);
  EXPECT_NE(fault_of("mov.u32 %r9, words;\nld.shared.u32 %r1, [%r9+2];", shared_words).find("misaligned"),
            std::string::npos);
}

TEST_F(Ptx, LanesThatNeverArrive) {
  const std::string part = "mov.u32 %r1, %tid.x;\nsetp.lt.u32 %p1, %r1, 16;\n@%p1 bar.warp.sync -1;\n";
  EXPECT_EQ(fault_of("bar.warp.sync -1;"), "");
  EXPECT_NE(fault_of("mov.u32 %r1, %tid.x;\nsetp.lt.u32 %p1, %r1, 16;\n@%p1 bra $wait;\n"
                     "bar.sync 0;\nbra $end;\n$wait:\nbar.warp.sync -1;\n$end:\nmov.u32 %r2, 0;")
                .find("never reach"),
            std::string::npos);
  EXPECT_EQ(fault_of(part), "") << "the others have ended";
}

// cp.async: the destination holds NaN until its group is waited for; zeros stand where less is read.
TEST_F(Ptx, AsynchronousCopiesLandAtTheWait) {
  const std::string text = R"(mov.u32 %r9, words;
    cp.async.ca.shared.global [%r9], [%rd1], 4, 4;
    cp.async.commit_group;
    mov.u32 %r1, 0;
    cp.async.ca.shared.global [%r9+4], [%rd1], 4, %r1;
    cp.async.commit_group;
    cp.async.wait_group PENDING;
    ld.shared.u32 %r2, [%r9];
    ld.shared.u32 %r3, [%r9+4];
    st.global.u32 [%rd1+4], %r2;
    st.global.u32 [%rd1+8], %r3;)";
  for (const std::uint32_t pending : {0u, 1u, 2u}) {
    std::string own = text;
    own.replace(own.find("PENDING"), 7, std::to_string(pending));
    std::vector<std::uint32_t> memory = {7, 1, 1};
    run_block(kernel_text(own, shared_words), memory, 1);
    EXPECT_EQ(memory[1], pending < 2 ? 7u : ~0u);
    EXPECT_EQ(memory[2], pending < 1 ? 0u : ~0u);
  }
  EXPECT_NE(fault_of("mov.u32 %r9, words;\ncp.async.cg.shared.global [%r9+4], [%rd1], 16, 16;", shared_words),
            "");
}

// 1 + 2^-24 + 2^-24: exact sums are rounded once; tensor cores cut the small addends off, one bit below.
TEST_F(Ptx, SumsOfMma) {
  const std::string text = R"(mov.u32 %r1, %tid.x;
    mov.b32 %r2, 0f3F800000;
    mov.b32 %r3, 0f33000000;
    mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f2,%f3,%f4}, {%r2,%r2,%r2,%r2}, {%r3,%r3},
 {0f3F800000,0f3F800000,0f3F800000,0f3F800000};
    st.global.f32 [%rd1], %f1;)";
  std::string one_line = text;
  one_line.erase(one_line.find(",\n ") + 1, 1);
  std::vector<float> memory(1);
  run_block(kernel_text(one_line), memory);
  EXPECT_EQ(memory[0], 1 + 0x1p-22f) << "8 times 2^-25 is 2^-22";
  options.truncated_sums = true;
  run_block(kernel_text(one_line), memory);
  EXPECT_EQ(memory[0], 1) << "each is below the bit that is kept";
}

// Instructions by class, sectors against the fewest, and each once a block: 32 lanes 64 bytes apart, twice.
TEST_F(Ptx, CountsWhatIsExecuted) {
  options.counters = true;
  const Module module = parse(kernel_text(R"(mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 64;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.f32 %f1, [%rd3];
    ld.global.f32 %f2, [%rd3];
    fma.rn.f32 %f3, %f1, %f1, %f2;
    div.u32 %r2, %r1, %r1;
    st.global.f32 [%rd3], %f3;)"));
  const Kernel& kernel = *module.at("k");
  std::vector<float> memory(32 * 16);
  Launch launch{&kernel, {5, 2, 1}, {32, 1, 1}, std::vector<unsigned char>(8), 0};
  const auto begin = reinterpret_cast<std::uint64_t>(memory.data());
  std::memcpy(launch.parameters.data(), &begin, sizeof(begin));
  for (const std::uint64_t sample : {0, 3}) {
    const Counts before = counts_of(kernel);
    options.sample = sample;
    const Ran ran = run(launch, {{begin, begin + memory.size() * sizeof(float)}}, options);
    const Counts counts = counts_of(kernel).since(before);
    const std::uint64_t blocks = sample == 0 ? 10 : 3;
    EXPECT_EQ(ran.blocks, blocks);
    EXPECT_EQ(ran.block_sectors, 2 * 32 * blocks) << "read and written";
    EXPECT_EQ(counts.sectors, 3 * 32 * blocks);
    EXPECT_EQ(counts.ideal_sectors, 3 * 4 * blocks);
    const auto executed = [&](Class kind) { return counts.executed[static_cast<std::size_t>(kind)]; };
    EXPECT_EQ(executed(Class::global), 3 * blocks);
    EXPECT_EQ(executed(Class::wide), 2 * blocks);
    EXPECT_EQ(executed(Class::floating), blocks);
    EXPECT_EQ(executed(Class::division), blocks);
    EXPECT_EQ(counts.all_executed(), 10 * blocks);
  }
}

// A ticket begins anew behind its limit. What blocks tell each other by it has to be fenced.
TEST_F(Ptx, Tickets) {
  const std::string take = "atom.global.inc.u32 %r1, [%rd1], 2;\n";
  std::vector<std::uint32_t> memory(2);
  for (const std::uint32_t before : {0u, 1u, 2u, 0u}) {
    run_block(kernel_text(take + "st.global.u32 [%rd1+4], %r1;"), memory, 1);
    EXPECT_EQ(memory[1], before);
  }
  EXPECT_EQ(memory[0], 1u);
  const std::string write = "st.global.u32 [%rd1+4], %r2;\n", read = "ld.global.u32 %r2, [%rd1+4];\n";
  const std::string fence = "membar.gl;\n";
  EXPECT_EQ(fault_of(read + write + fence + take + fence + read, "", 1), "");
  EXPECT_NE(fault_of(read + fence + write + take, "", 1).find("before the fence of thread 0"),
            std::string::npos);
  EXPECT_NE(fault_of(take + read, "", 1).find("no fence between"), std::string::npos);
}

// Of a sample no block is the last of those that share a ticket, unless it is asked for; memory stays as it
// is.
TEST_F(Ptx, TicketsOfASample) {
  const Module module = parse(kernel_text(R"(atom.global.inc.u32 %r1, [%rd1], 4;
    setp.ne.u32 %p1, %r1, 4;
    @%p1 ret;
    membar.gl;
    ld.global.u32 %r2, [%rd1];)"));
  const Kernel& kernel = *module.at("k");
  std::vector<std::uint32_t> memory(1);
  Launch launch{&kernel, {10, 1, 1}, {32, 1, 1}, std::vector<unsigned char>(8), 0};
  const auto begin = reinterpret_cast<std::uint64_t>(memory.data());
  std::memcpy(launch.parameters.data(), &begin, sizeof(begin));
  options.sample = 2;
  for (const bool last : {false, true}) {
    options.last = last;
    const Counts before = counts_of(kernel);
    const Ran ran = run(launch, {{begin, begin + 4}}, options);
    const Counts counts = counts_of(kernel).since(before);
    EXPECT_EQ(ran.sharing, 5u);
    EXPECT_EQ(counts.executed[static_cast<std::size_t>(Class::ordering)], last ? 4u : 2u);
    EXPECT_EQ(counts.executed[static_cast<std::size_t>(Class::global)], last ? 2u : 0u);
    EXPECT_EQ(memory[0], 0u);
  }
}

TEST_F(Ptx, WhatIsNotKnownIsAnError) {
  for (const std::string body : {"frobnicate.f32 %f1, %f2;", "add.f32 %f1, %f2;", "bra $nowhere;",
                                 "mov.f32 %f1, unknown;", "bar.sync 1;"}) {
    EXPECT_THROW(parse(kernel_text(body)), std::runtime_error) << body;
  }
}

}  // namespace
}  // namespace adwp::executor
