#include "course/common/counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "cuda/emulation/cuda_types.h"

namespace adwp::course {
namespace {

constexpr unsigned warp_lanes = 32, most_threads = 1024, most_warps = most_threads / warp_lanes;
constexpr std::size_t sector = 32, word = 4, banks = 32;

// What the lanes of a warp access at once.
struct Request {
  std::size_t bytes = 0;  // a lane
  unsigned lanes = 0;
  std::array<std::size_t, warp_lanes> places{};  // from the start of the array
};

// One access in the source; its requests are those of the block at hand.
struct Site {
  AccessCount count;
  std::array<std::uint32_t, most_threads> times{};  // that each thread has been here
  std::array<std::vector<Request>, most_warps> requests;
};

using SiteKey = std::tuple<std::string, unsigned, unsigned>;  // array, line, column

struct Counting {
  std::map<SiteKey, Site> sites;
  uint3 block{};
};

std::optional<Counting> counting;

void add_sectors(const Request& request, AccessCount& count) {
  std::set<std::size_t> sectors, starts;
  for (unsigned i = 0; i < request.lanes; ++i) {
    starts.insert(request.places[i]);
    for (std::size_t at = request.places[i] / sector; at <= (request.places[i] + request.bytes - 1) / sector;
         ++at) {
      sectors.insert(at);
    }
  }
  count.cost += std::ssize(sectors);
  count.fewest += (starts.size() * request.bytes + sector - 1) / sector;
}

// Served in phases of 128 bytes: all lanes at once for 4 bytes a lane, a quarter of them for 16.
void add_rounds(const Request& request, AccessCount& count) {
  const unsigned lanes_a_phase = std::max<unsigned>(1, warp_lanes * word / request.bytes);
  for (unsigned first = 0; first < request.lanes; first += lanes_a_phase) {
    std::map<std::size_t, std::set<std::size_t>> words;  // by bank
    for (unsigned i = first; i < std::min(request.lanes, first + lanes_a_phase); ++i) {
      for (std::size_t at = request.places[i] / word; at < (request.places[i] + request.bytes) / word; ++at) {
        words[at % banks].insert(at);
      }
    }
    std::size_t rounds = 0;
    for (const auto& [bank, in_bank] : words) rounds = std::max(rounds, in_bank.size());
    count.cost += rounds;
    ++count.fewest;
  }
}

// The block at hand has ended.
void end_block() {
  for (auto& [key, site] : counting->sites) {
    for (std::vector<Request>& warp : site.requests) {
      for (const Request& request : warp) {
        ++site.count.requests;
        site.count.space == Space::global ? add_sectors(request, site.count)
                                          : add_rounds(request, site.count);
      }
      warp.clear();
    }
    site.times.fill(0);
  }
}

bool same(const uint3& a, const uint3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

}  // namespace

void note_access(Space space, const char* array, std::size_t at, std::size_t bytes,
                 std::source_location where) {
  if (!counting) return;
  if (!same(counting->block, blockIdx)) {
    end_block();
    counting->block = blockIdx;
  }
  Site& site = counting->sites[{array, where.line(), where.column()}];
  if (site.count.array.empty()) site.count = {.array = array, .space = space, .line = where.line()};
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  std::vector<Request>& warp = site.requests[thread / warp_lanes];
  const std::uint32_t time = site.times[thread]++;
  if (warp.size() <= time) warp.resize(time + 1);
  Request& request = warp[time];
  request.bytes = bytes;
  request.places[request.lanes++] = at;
}

Counts count(const std::function<void()>& work) {
  counting.emplace();
  work();
  end_block();
  std::map<std::pair<std::string, unsigned>, AccessCount> rows;  // sites of one line together
  for (const auto& [key, site] : counting->sites) {
    AccessCount& row = rows[{site.count.array, site.count.line}];
    row.array = site.count.array;
    row.space = site.count.space;
    row.line = site.count.line;
    row.requests += site.count.requests;
    row.cost += site.count.cost;
    row.fewest += site.count.fewest;
  }
  counting.reset();
  std::vector<AccessCount> list;
  for (auto& [key, row] : rows) list.push_back(row);
  return Counts(std::move(list));
}

AccessCount Counts::total(Space space, const std::string& array) const {
  AccessCount sum{.array = array, .space = space};
  for (const AccessCount& row : rows_) {
    if (row.space != space || (!array.empty() && row.array != array)) continue;
    sum.requests += row.requests;
    sum.cost += row.cost;
    sum.fewest += row.fewest;
  }
  return sum;
}

std::string Counts::text() const {
  std::string text =
      fmt::format("       {:10} {:>5} {:>10} {:>12} {:>10}\n", "array", "line", "requests", "cost", "fewest");
  for (const AccessCount& row : rows_) {
    text += fmt::format("       {:10} {:5} {:10} {:4}{:>8} {:10}\n", row.array, row.line, row.requests,
                        row.cost, row.space == Space::global ? " sectors" : " rounds", row.fewest);
  }
  return text;
}

}  // namespace adwp::course
