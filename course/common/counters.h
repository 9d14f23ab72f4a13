// Counts what a kernel's memory accesses cost, warp by warp, as the hardware serves them.
//
// The threads of a warp that reach an access for the same time make one request. Global memory is served in
// sectors of 32 bytes: a request costs as many as it touches. Shared memory has 32 banks of 4 bytes: a
// request costs as many rounds as the bank that is asked for most has different words to give (threads that
// read one word share it). The emulation runs one block after another on one thread (Options::workers is 1
// here).
#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

namespace adwp::course {

enum class Space { global, shared };

// All accesses to one array in one line of the kernel.
struct AccessCount {
  std::string array;
  Space space = Space::global;
  unsigned line = 0;
  std::int64_t requests = 0;  // of warps
  std::int64_t cost = 0;      // sectors, or rounds
  std::int64_t fewest = 0;    // that so many different bytes can take
};

class Counts {
 public:
  explicit Counts(std::vector<AccessCount> rows) : rows_(std::move(rows)) {}
  const std::vector<AccessCount>& rows() const { return rows_; }
  // Sums over the lines: of one array, or ("") over all arrays of the space.
  AccessCount total(Space space, const std::string& array = "") const;
  std::string text() const;  // a table, one line an array and line

 private:
  std::vector<AccessCount> rows_;
};

// Runs `work` and counts the accesses of its kernels that go through Global and SHARED_ARRAY (counted.cuh).
Counts count(const std::function<void()>& work);

// For Global and SHARED_ARRAY: notes that the running thread accesses so many bytes, `at` bytes from the
// start of the array. Arrays begin at a multiple of 128 bytes, as what a GPU allocates does.
void note_access(Space space, const char* array, std::size_t at, std::size_t bytes,
                 std::source_location where);

}  // namespace adwp::course
