// The functions that instructions execute, by name; the parser puts operands in the order told here.
#pragma once

#include <string>

#include "tests/cuda/ptx/memory_checks.h"

namespace adwp::executor {

using Execute = Instruction::Execute;

// Arithmetic, comparisons, conversions and moves: the result, then what it is made of.
struct Operation {
  Execute execute = nullptr;
  std::string widths;  // '4' or '8' bytes, an operand each
};
const Operation* find_operation(const std::string& name);  // nullptr: not known

// mov of a register from or to a pair of half its width.
Execute join_operation(bool wide);   // whole, low, high
Execute split_operation(bool wide);  // low, high, whole

// Loads and stores of `count` registers: those, then the address's register. nullptr: not known.
// wide_parameter: whose address is in 8 bytes.
enum class Space { global, shared, local, parameter, wide_parameter };
Execute memory_operation(Space space, Access access, const std::string& type, bool wide, std::size_t count);

// membar.gl, and atom.inc of global memory: the value before, the address's register, the limit.
void fence(Warp& warp, const Instruction& in, std::uint32_t lanes);
void atomic_increment(Warp& warp, const Instruction& in, std::uint32_t lanes);

// cp.async of 4 or 16 bytes: to (shared), from (global), bytes to read of them, and in operands[3] the offset
// of `from` (a number, no register).
Execute async_copy_operation(std::uint32_t bytes);
void async_commit(Warp& warp, const Instruction& in, std::uint32_t lanes);
void async_wait(Warp& warp, const Instruction& in, std::uint32_t lanes);  // target: groups that may stay

// Of a whole warp.
void warp_barrier(Warp& warp, const Instruction& in, std::uint32_t lanes);
void shuffle_butterfly(Warp& warp, const Instruction& in,
                       std::uint32_t lanes);          // d, valid, a, lane mask, clamp
Execute ldmatrix_operation(const std::string& name);  // four registers, the address
Execute mma_operation(const std::string& name);       // d[4], a[4], b[2], c[4]

}  // namespace adwp::executor
