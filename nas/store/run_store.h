// search.db: what a search has done so far, and what it is continued from.
//
// One transaction a generation, a network of the rank sample, a finalist's rung: after a kill the file
// holds all of one or nothing of it. Doubles come back to the bit. docs/run_store.md describes the tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nas/score/score_model.h"
#include "nas/search/search.h"
#include "nas/store/database.h"

namespace adwp::nas {

enum class Phase { hypernetwork, rank_sample, search, finalists };

// What a phase has cost.
struct PhaseCost {
  double seconds = 0;           // over all processes of the run
  std::int64_t arena_peak = 0;  // bytes
};

// Microseconds by the network's hash and the number of images.
using Latencies = std::map<std::pair<std::uint64_t, std::int64_t>, double>;

class RunStore {
 public:
  static constexpr int schema = 5;

  // Opens the database of a run or creates it. Throws an Error for a damaged one, and a usage Error for one
  // of another schema or of another program.
  explicit RunStore(const std::string& path);

  // Everywhere `cost` is what came on top since the last call: seconds are added, of peaks the higher counts.
  void spend(Phase phase, const PhaseCost& cost);
  void finish(Phase phase, const PhaseCost& cost);
  PhaseCost cost(Phase phase) const;
  PhaseCost total() const;

  // The networks of the rank sample, by number from 0; where their epoch of SGD is asked for, the last may
  // lack it still.
  std::vector<Measured> rank_sample() const;
  void save_rank_network(std::size_t number, const Architecture& architecture, const Measured& measured,
                         const PhaseCost& cost);

  // Of a search: everything up to the last whole generation.
  SearchState search_state() const;
  // Adds the generation before `state.next_generation`.
  void save_generation(const SearchState& state, const PhaseCost& cost);

  // What was measured on a device with square images of that size. Measurements come out otherwise each
  // time: a run that goes on, or one that repeats it, uses these.
  Latencies latencies(const std::string& device, std::int64_t image_size) const;
  void save(const Latencies& latencies, const std::string& device, std::int64_t image_size);

  // A finalist after `epochs` of training.
  std::optional<Trained> trained(const Candidate& finalist, int epochs) const;
  void save_finalist(const Candidate& finalist, int epochs, const Trained& trained, const PhaseCost& cost);

 private:
  void create();
  void require_own_tables() const;
  void add(Phase phase, const PhaseCost& cost);

  Database database_;
};

}  // namespace adwp::nas
