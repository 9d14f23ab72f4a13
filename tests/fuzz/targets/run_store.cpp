// A file opened as search.db and read as --resume reads it. Accepted: reading changes nothing.
#include "nas/store/run_store.h"
#include "tests/fuzz/support.h"

using namespace adwp;

namespace {

std::string read(const std::string& path) {
  nas::RunStore store(path);
  std::string all;
  for (int phase = 0; phase < 4; ++phase) all += fmt::format("{} ", store.cost(nas::Phase{phase}).seconds);
  all += fmt::format("{} {}\n", store.total().seconds, store.total().arena_peak);
  for (const nas::Measured& m : store.rank_sample())
    all += fmt::format("{} {}\n", m.params, m.trained.loss);
  for (const auto& [of, microseconds] : store.latencies("device", 16)) {
    fuzz::expect(microseconds > 0, "latencies are positive");
    all += fmt::format("{:x} {} {}\n", of.first, of.second, microseconds);
  }
  const nas::SearchState state = store.search_state();
  for (const auto* list : {&state.evaluated, &state.population}) {
    for (const nas::Candidate& c : *list) {
      fuzz::expect(c.hash == c.architecture.hash(), "candidates are what their id says");
      fuzz::expect(c.generation >= 0 && c.generation < state.next_generation, "generations are counted");
      all += fmt::format("{} {} {}\n", c.hash, c.score, store.trained(c, 3).value_or(nas::Trained{}).accuracy);
    }
  }
  return all;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* name : {"search.db", "search.db-wal", "search.db-shm", "search.db-journal"}) {
    std::filesystem::remove(fuzz::folder() / name);
  }
  const std::string path = fuzz::write_file("search.db", {reinterpret_cast<const char*>(data), size});
  std::string first;
  if (!fuzz::accepts([&] { first = read(path); })) return 0;
  fuzz::expect(read(path) == first, "reading changes nothing");
  return 0;
}
