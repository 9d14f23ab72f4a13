// From one line of PTX to an Instruction of a Kernel.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda/ptx/program.h"

namespace adwp::executor {

std::string trimmed(const std::string& text);

struct Variable {
  std::uint32_t alignment = 1, bytes = 0;
};

class InstructionBuilder {
 public:
  // shared: variables that stand outside of kernels; a kernel has those that it names. They must live on.
  InstructionBuilder(Kernel& kernel, const std::map<std::string, Variable>& shared)
      : kernel_(kernel), shared_(shared) {}

  void add_symbol(const std::string& name, std::uint32_t address) { symbols_[name] = address; }
  void add_label(const std::string& name) { labels_[name] = static_cast<std::uint32_t>(kernel_.code.size()); }
  void add_instruction(std::string text);  // without the semicolon
  void finish();                           // resolves labels, sizes the file of registers

 private:
  using Parts = std::vector<std::string>;
  struct Address {
    std::string base;
    std::int64_t offset = 0;
  };

  // What is written between brackets: [base+offset].
  static Address address(const std::string& text);

  // Each takes the instructions of its kind; false: it is none of those.
  bool build_flow(Instruction& in, const std::string& name, const Parts& parts);
  bool build_warp(Instruction& in, const std::string& name, const Parts& parts);
  bool build_async(Instruction& in, const std::string& name, const Parts& parts);
  bool build_memory(Instruction& in, const std::string& name, const Parts& parts);
  bool build_pair(Instruction& in, const std::string& name, const Parts& parts);
  bool build_arithmetic(Instruction& in, const std::string& name, const Parts& parts);

  // Offsets of registers, made at first sight.
  std::uint32_t allocate(bool wide);
  std::uint32_t constant(std::uint64_t value, bool wide);
  std::uint32_t special(const std::string& name);
  std::uint32_t operand(const std::string& text, bool wide);
  std::uint32_t symbol(const std::string& name);  // its address
  // The registers of several {a, b}, one after another, from operand `at` on; returns how many.
  std::uint32_t operands(Instruction& in, const Parts& lists, std::uint32_t at);

  Kernel& kernel_;
  const std::map<std::string, Variable>& shared_;
  std::uint32_t size_ = 0;
  std::map<std::string, std::uint32_t> registers_, symbols_, labels_;
  std::map<std::pair<std::uint64_t, bool>, std::uint32_t> constants_;
  std::vector<std::pair<std::size_t, std::string>> branches_;
};

}  // namespace adwp::executor
