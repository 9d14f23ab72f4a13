// What kernels did, for ADWPNAS_PTX_REPORT.
#pragma once

#include <string>
#include <vector>

#include "tests/cuda/ptx/program.h"

namespace adwp::executor {

// A line for each kernel that ran: instructions of warps, how many of its instructions were reached, rounds
// of shared memory and sectors of global memory, each against the fewest that the same accesses could take,
// and the instructions by class (counts.h); then the totals. Throws nothing: a file that cannot be written is
// told on stderr.
void write_report(const std::vector<Module>& modules, const std::string& path);

}  // namespace adwp::executor
