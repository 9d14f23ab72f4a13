#include "tests/cuda/ptx/report.h"

#include <cstdio>

namespace adwp::executor {
namespace {

struct Sum {
  Counters counters;
  std::size_t reached = 0, instructions = 0;

  void add(const Counters& other) {
    counters.executed += other.executed;
    counters.bank_rounds += other.bank_rounds;
    counters.ideal_rounds += other.ideal_rounds;
    counters.sectors += other.sectors;
    counters.ideal_sectors += other.ideal_sectors;
  }
};

Sum sum_of(const Kernel& kernel) {
  Sum sum;
  for (const Instruction& in : kernel.code) {
    sum.add(in.counters);
    ++sum.instructions;
    sum.reached += in.counters.executed > 0;
  }
  return sum;
}

void print(std::FILE* file, const Sum& sum, const std::string& name) {
  const Counters& c = sum.counters;
  std::fprintf(file, "%14lu %5zu/%-5zu %12lu/%-12lu %12lu/%-12lu  %s\n", c.executed, sum.reached,
               sum.instructions, c.bank_rounds, c.ideal_rounds, c.sectors, c.ideal_sectors, name.c_str());
}

}  // namespace

void write_report(const std::vector<Module>& modules, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    std::perror(path.c_str());
    return;
  }
  std::fprintf(file, "%14s %11s %25s %25s  %s\n", "instructions", "reached/all", "bank rounds/ideal",
               "sectors/ideal", "kernel");
  Sum total;
  std::size_t kernels = 0, ran = 0;
  for (const Module& module : modules) {
    for (const auto& [name, kernel] : module) {
      const Sum own = sum_of(*kernel);
      ++kernels;
      if (own.reached == 0) continue;
      ++ran;
      print(file, own, name);
      total.add(own.counters);
      total.reached += own.reached;
      total.instructions += own.instructions;
    }
  }
  print(file, total, "all");
  std::fprintf(file, "%zu of %zu kernels ran, in modules that were used\n", ran, kernels);
  std::fclose(file);
}

}  // namespace adwp::executor
