// What a program without MPI says when a launcher starts it on several ranks: this one is built without,
// wherever MPI is found. Exits with 0 if all is as it should be. With any argument it is such a program, for
// no_mpi_check.sh.
#include <fmt/core.h>

#include <cstdlib>
#include <string>

#include "framework/core/error.h"
#include "framework/parallel/group.h"

int main(int count, char**) {
  using namespace adwp;
  if (count > 1) {
    try {
      parallel::open_group();
      return 0;
    } catch (const Error& error) {
      fmt::print(stderr, "error: {}\n", error.what());
      return 2;
    }
  }
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    setenv(name, "1", 1);
    if (!parallel::open_group()->alone()) return 1;
    setenv(name, "4", 1);
    try {
      parallel::open_group();
      return 1;
    } catch (const Error& error) {
      const std::string what = error.what();
      const bool says = what.find("built without MPI") != what.npos && what.find("4 processes") != what.npos;
      if (error.fault() != Fault::usage || !says) return 1;
    }
    unsetenv(name);
  }
  return 0;
}
