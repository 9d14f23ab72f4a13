// What a program without MPI says when a launcher starts it on several ranks: this one is built without,
// wherever MPI is found. Exits with 0 if all is as it should be.
#include <cstdlib>
#include <string>

#include "framework/core/error.h"
#include "framework/parallel/group.h"

int main() {
  using namespace adwp;
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
