#include "cpu/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>

namespace adwp::cpu {
namespace {

// Cores that a control group grants, e.g. 1.5: version 2 ("QUOTA PERIOD" or "max PERIOD" in cpu.max), then
// version 1.
std::optional<double> quota_of(const std::string& group) {
  std::string quota;
  double period = 0;
  if (std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max"); file >> quota >> period && quota != "max") {
    return std::atof(quota.c_str()) / period;
  }
  double microseconds = 0;
  std::ifstream quota_file("/sys/fs/cgroup/cpu" + group + "/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu" + group + "/cpu.cfs_period_us");
  if (quota_file >> microseconds && period_file >> period && microseconds > 0) return microseconds / period;
  return std::nullopt;
}

// The least that this process's group and those above it grant.
std::optional<double> quota() {
  std::optional<double> least = quota_of("");
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t path = line.find(":/");  // "NUMBER:CONTROLLERS:/PATH"; a path may hold colons
    std::string group = path == line.npos ? "" : line.substr(path + 1);
    for (; group.size() > 1; group.resize(group.find_last_of('/'))) {
      if (const auto granted = quota_of(group)) least = std::min(least.value_or(*granted), *granted);
    }
  }
  return least;
}

double seconds_computed() {  // by this thread
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

int taken = 1;  // threads

}  // namespace

int cores_given() {
  constexpr int most = 1024;  // as of --threads; beyond, libgomp ends the program
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return std::clamp(omp_get_max_threads(), 1, most);
  cpu_set_t mask;
  int cores = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : omp_get_num_procs();
  if (const auto granted = quota()) cores = std::min<int>(cores, std::lround(*granted));
  return std::max(cores, 1);
}

int take_threads(int wanted) {
  omp_set_dynamic(0);  // OMP_DYNAMIC lets each region have another number
  omp_set_num_threads(wanted > 0 ? wanted : cores_given());
  int given = 1;
#pragma omp parallel
#pragma omp master
  given = omp_get_num_threads();
  omp_set_num_threads(given);
  taken = given;
  return given;
}

int threads_with_room() { return std::max(taken, omp_get_max_threads()); }

void ThreadGovernor::watch() {
  constexpr std::uint64_t calls = 16;                                // between two looks at the clock
  constexpr double window = 0.1, first_pause = 0.5, most_pause = 8;  // seconds
  constexpr double share =
      0.7;  // of the time, in which a thread that is not disturbed computes or waits spinning
  if (all_ == 1 || ++calls_ % calls != 0) return;
  const Clock::time_point now = Clock::now();
  const double passed = std::chrono::duration<double>(now - since_).count();
  if (passed < window) return;
  const double computed = seconds_computed();
  if (alone_ && now >= again_) {
    alone_ = false;
    omp_set_num_threads(all_);
  } else if (!alone_ && computed_ > 0 && computed - computed_ < share * passed) {
    alone_ = true;
    pause_ = std::clamp(2 * pause_, first_pause, most_pause);
    again_ = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause_));
    omp_set_num_threads(1);
  } else if (!alone_) {
    pause_ = 0;
  }
  since_ = now;
  computed_ = computed;
}

}  // namespace adwp::cpu
