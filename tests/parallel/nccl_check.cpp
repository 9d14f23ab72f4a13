// A link between devices, on ranks that mpirun starts: NCCL's calls against a stand-in (nccl_stand_in.cpp),
// on memory that says it is a GPU's. Exits with 0 if all is as it should be.
//
//   mpirun -n R nccl_check linked|staged     staged: without the library, every rank goes through the host
#include <fmt/core.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "framework/core/arena.h"
#include "framework/core/error.h"
#include "framework/parallel/group.h"

namespace {

using namespace adwp;

class HostMemory : public Memory {
 public:
  void* stream() const override { return const_cast<int*>(&stream_); }

 private:
  void* do_allocate(std::size_t bytes) override { return std::aligned_alloc(256, (bytes + 255) / 256 * 256); }
  void do_release(void* pointer) noexcept override { std::free(pointer); }
  void do_write(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void do_read(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void do_copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void do_fill(void* to, std::uint8_t value, std::size_t bytes) override { std::memset(to, value, bytes); }

  int stream_ = 0;
};

void check(const std::string& mode) {
  const auto group = parallel::open_group();
  HostMemory memory;
  Arena arena(memory, 1 << 20);
  const bool linked = group->links(memory);
  require(linked == (mode == "linked"), "check", "a link, got {}, expected {}", linked, mode);
  require(group->links(memory) == linked, "check", "the link is there once, and gone");
  if (!linked) return;
  constexpr std::int64_t count = 1001;
  const Tensor mine(arena, Shape{count}), all(arena, Shape{count * group->size()});
  for (int round = 0; round < 3; ++round) {
    const auto value = [&](int rank, std::int64_t i) { return rank * 100'000.0f + round * 10'000.0f + i; };
    std::vector<float> values(count), expected;
    for (std::int64_t i = 0; i < count; ++i) values[i] = value(group->rank(), i);
    for (int rank = 0; rank < group->size(); ++rank) {
      for (std::int64_t i = 0; i < count; ++i) expected.push_back(value(rank, i));
    }
    mine.copy_from_host(std::span<const float>(values));
    group->gather(mine, all);
    require(all.to_host<float>() == expected, "check", "gathered tensors differ in round {}", round);
  }
  bool refused = false;
  try {
    group->gather(mine, mine);
  } catch (const Error&) {
    refused = true;
  }
  require(refused || group->alone(), "check", "a tensor without room was taken");
}

}  // namespace

int main(int, char** arguments) {
  try {
    check(arguments[1]);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
