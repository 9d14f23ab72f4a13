#include "tests/cuda/ptx/report.h"

#include <cstdio>

#include "tests/cuda/ptx/counts.h"

namespace adwp::executor {
namespace {

void print(std::FILE* file, const Counts& c, const std::string& name) {
  std::fprintf(file, "%14lu %5zu/%-5zu %12lu/%-12lu %12lu/%-12lu", c.all_executed(), c.reached,
               c.instructions, c.bank_rounds, c.ideal_rounds, c.sectors, c.ideal_sectors);
  for (const std::uint64_t of_class : c.executed) std::fprintf(file, " %12lu", of_class);
  std::fprintf(file, "  %s\n", name.c_str());
}

}  // namespace

void write_report(const std::vector<Module>& modules, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    std::perror(path.c_str());
    return;
  }
  std::fprintf(file, "%14s %11s %25s %25s", "instructions", "reached/all", "bank rounds/ideal",
               "sectors/ideal");
  for (std::size_t i = 0; i < class_count; ++i) std::fprintf(file, " %12s", name_of(static_cast<Class>(i)));
  std::fprintf(file, "  kernel\n");
  Counts total;
  std::size_t kernels = 0, ran = 0;
  for (const Module& module : modules) {
    for (const auto& [name, kernel] : module) {
      const Counts own = counts_of(*kernel);
      ++kernels;
      if (own.reached == 0) continue;
      ++ran;
      print(file, own, name);
      total.add(own);
    }
  }
  print(file, total, "all");
  std::fprintf(file, "%zu of %zu kernels ran, in modules that were used\n", ran, kernels);
  std::fclose(file);
}

}  // namespace adwp::executor
