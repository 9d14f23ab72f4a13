// The latencies that a search knows: those of an earlier search, those of its own store, and what it
// measures.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "nas/store/run_store.h"

namespace adwp::apps {

class LatencyTable {
 public:
  // Of one device, for square images of that size.
  LatencyTable(std::string device, std::int64_t image_size);

  // Takes those in search.db of an earlier search. Throws a usage Error when there are none for this device
  // and size.
  void take(const std::string& path);
  std::uint64_t fingerprint_of_taken() const { return taken_; }

  // Takes those in the run's store, which win over the others; writes all to it, and each new one when it is
  // measured. The store must live as long as latencies are asked for.
  void keep_in(nas::RunStore& store);

  // The latency on `batch` images, in microseconds; `measure` is called once for each network and batch.
  double of(const nas::NetworkPlan& plan, std::int64_t batch, const std::function<double()>& measure);

 private:
  std::string device_;
  std::int64_t image_size_;
  nas::Latencies known_;
  std::uint64_t taken_ = 0;  // fingerprint
  nas::RunStore* store_ = nullptr;
};

}  // namespace adwp::apps
