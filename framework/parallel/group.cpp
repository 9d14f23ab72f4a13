#include "framework/parallel/group.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <thread>

#include "framework/core/error.h"

namespace adwp::parallel {

using namespace std::chrono_literals;

std::string Group::host() const {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

void Group::send(int to, std::string) { fail("ranks", "no rank {} to send to", to); }

void Group::abort(int code) { std::_Exit(code); }

Message Group::wait(const std::function<void()>& idle) {
  auto pause = 10us;
  while (true) {
    if (auto message = receive()) return std::move(*message);
    idle();
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::microseconds>(2 * pause, 2ms);
  }
}

void Group::broadcast(const Tensor& tensor) {
  if (alone()) return;
  std::string bytes;
  if (rank() == 0) {
    const std::vector<float> values = tensor.to_host<float>();
    bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  bytes = broadcast(bytes);
  require(bytes.size() == tensor.bytes(), "ranks", "tensors differ, got {} bytes of rank 0, expected {}",
          bytes.size(), tensor.bytes());
  if (rank() == 0) return;
  tensor.copy_from_host(std::span(reinterpret_cast<const float*>(bytes.data()), tensor.elements()));
}

// Each rank adds one slice of all parts, then every rank gets every slice.
std::vector<float> Group::sum(const std::vector<std::vector<float>>& parts) {
  require(!parts.empty(), "ranks", "nothing to sum");
  const std::int64_t elements = parts.front().size(), ranks = size();
  const auto begin = [&](std::int64_t r) { return elements * r / ranks; };
  std::vector<std::vector<float>> slices(ranks);
  for (const std::vector<float>& part : parts) {
    require(std::ssize(part) == elements, "ranks", "parts differ, got {} numbers, expected {}", part.size(),
            elements);
    for (std::int64_t r = 0; r < ranks; ++r) {
      slices[r].insert(slices[r].end(), part.begin() + begin(r), part.begin() + begin(r + 1));
    }
  }
  const std::int64_t length = begin(rank() + 1) - begin(rank());
  std::vector<float> sums;
  for (const std::vector<float>& of_rank : exchange(std::move(slices))) {
    for (std::int64_t first = 0; first < std::ssize(of_rank); first += length) {
      const auto part = of_rank.begin() + first;
      if (sums.empty()) {
        sums.assign(part, part + length);
      } else {
        for (std::int64_t i = 0; i < length; ++i) sums[i] += part[i];
      }
    }
  }
  std::vector<float> all;
  for (const std::vector<float>& slice : exchange(std::vector(ranks, sums))) {
    all.insert(all.end(), slice.begin(), slice.end());
  }
  return all;
}

namespace {

// The first of these variables that is a number above 0; 0 without one.
int positive(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && std::atoi(value) > 0) return std::atoi(value);
  }
  return 0;
}

}  // namespace

int ranks_launched() {
  return std::max(1, positive({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}));
}

#if defined(ADWP_MPI_MODULE)
// MPI lies in a library of its own, beside the program: who starts no ranks needs no MPI on the machine.
std::unique_ptr<Group> open_mpi() {
  std::error_code ignored;
  const std::filesystem::path built = ADWP_MPI_MODULE;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / built.filename();
  const std::filesystem::path& path = std::filesystem::exists(beside, ignored) ? beside : built;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);  // global: Open MPI's own parts look there
  if (library == nullptr) fail_usage("ranks", "cannot load MPI: {}; install openmpi-bin", dlerror());
  return std::unique_ptr<Group>(reinterpret_cast<Group* (*)()>(dlsym(library, "adwp_open_mpi"))());
}
#endif

std::unique_ptr<Group> open_group() {
  const int ranks = ranks_launched();
  if (ranks == 1) return std::make_unique<Group>();
#if defined(ADWP_MPI_MODULE)
  return open_mpi();
#else
  // Once is enough: mpirun ends the others when the first has failed.
  if (positive({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"}) > 0) std::this_thread::sleep_for(2s);
  fail_usage("ranks",
             "built without MPI, got {} processes of one launcher, expected one; install libopenmpi-dev and "
             "openmpi-bin and build anew, or start without mpirun",
             ranks);
#endif
}

}  // namespace adwp::parallel
