// PTX as it is executed here: what the parser makes of nvcc's text.
//
// Every operand of an instruction is a register: special registers, numbers and addresses of variables have
// registers of their own, which are filled when a warp starts. A register holds one value for each of the 32
// lanes of a warp, of 4 bytes (predicates and 16-bit numbers too) or of 8.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace adwp::executor {

constexpr int warp_size = 32;

struct Warp;

// Kinds of PTX instructions, after what they cost a GPU.
enum class Class : std::uint8_t {
  move,      // mov, ld.param, cvta: most vanish when ptxas makes machine code
  integer,   // 32 bits and fewer
  wide,      // integers of 64 bits: two instructions each
  division,  // of integers, by a number that is not known to the compiler
  floating,  // f32, its comparisons and conversions
  special,   // division, roots, exponentials of f32
  doubles,   // f64
  matrix,    // mma
  global,    // ld, st
  shared,    // ld, st, ldmatrix
  async,     // cp.async
  control,   // branches, comparisons of integers, selections
  exchange,  // barriers, shuffles
  ordering,  // fences, atomics: each waits for memory
  count
};
constexpr std::size_t class_count = static_cast<std::size_t>(Class::count);

const char* name_of(Class kind);
Class class_of(const std::string& opcode);  // "fma.rn.f32"

// What one instruction did, when Options::counters asks for it.
struct Counters {
  std::uint64_t executed = 0;      // by warps
  std::uint64_t bank_rounds = 0;   // passes over shared memory, one access a bank
  std::uint64_t ideal_rounds = 0;  // without conflicts of banks
  std::uint64_t sectors = 0;       // of 32 bytes of global memory
  std::uint64_t ideal_sectors = 0;
};

struct Instruction {
  enum class Kind : std::uint8_t {
    plain,    // each lane for itself
    branch,   // goes on at `target`
    end,      // of the thread
    barrier,  // waits for all threads of the block
    warp,     // waits for the lanes in operand `members`
  };
  using Execute = void (*)(Warp&, const Instruction&, std::uint32_t lanes);
  static constexpr int members = 15;

  Kind kind = Kind::plain;
  Class kind_of_work = Class::control;
  bool negated = false;  // the predicate
  int predicate = -1;    // offset of its register; -1: none
  Execute execute = nullptr;
  std::array<std::uint32_t, 16> operands{};  // offsets of registers in the warp's file, in bytes
  std::int64_t offset = 0;                   // of an address, added to its register
  std::uint32_t target = 0;  // of a branch; the number of groups that cp.async.wait_group names
  std::string text;
  mutable Counters counters;
};

struct Kernel {
  struct Parameter {
    std::uint32_t offset, bytes;
  };
  struct Constant {
    std::uint32_t offset;
    bool wide;
    std::uint64_t value;
  };

  std::string name;
  std::vector<Parameter> parameters;
  std::uint32_t parameter_bytes = 0;
  std::uint32_t shared_bytes = 0;  // without those that the launch adds
  std::uint32_t local_bytes = 0;   // a thread
  // Bytes of shared memory that are watched for races as one: a word, but single bytes where some are
  // touched.
  std::uint32_t watched_bytes = 4;
  std::uint32_t file_bytes = 0;  // registers of a warp
  std::uint32_t most_threads = 1024;
  std::vector<Instruction> code;
  std::vector<Constant> constants;
  std::map<std::string, std::uint32_t> specials;  // "%tid.x" and the like: offsets of their registers
};

using Module = std::map<std::string, std::unique_ptr<Kernel>>;  // kernels by name

// All kernels of a text of PTX. Throws std::runtime_error, naming it, for what is not known here.
Module parse(const std::string& text);

}  // namespace adwp::executor
