#include "apps/search/setup.h"

#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "apps/common/main.h"
#include "framework/core/error.h"
#include "framework/core/fnv.h"

namespace adwp::apps {

LatencyTable::LatencyTable(std::string device, std::int64_t image_size)
    : device_(std::move(device)), image_size_(image_size) {}

void LatencyTable::take(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) || std::filesystem::is_empty(path, ignored)) {
    fail_usage("search", "no such file, got --latencies {}, expected search.db of a search", path);
  }
  known_ = nas::RunStore(path).latencies(device_, image_size_);
  taken_ = fnv1a_start;
  for (const auto& [of, microseconds] : known_) {
    taken_ = fnv1a(fmt::format("{:x} {} {}\n", of.first, of.second, microseconds), taken_);
  }
  if (known_.empty()) {
    fail_usage("search", "--latencies {} has none for images of {} x {} on this device, {}", path,
               image_size_, image_size_, device_);
  }
}

void LatencyTable::keep_in(nas::RunStore& store) {
  store_ = &store;
  nas::Latencies stored = store.latencies(device_, image_size_);
  stored.merge(known_);  // what stands in the store stays
  known_ = std::move(stored);
  store.save(known_, device_, image_size_);
}

double LatencyTable::of(const nas::NetworkPlan& plan, std::int64_t batch,
                        const std::function<double()>& measure) {
  const std::pair key{plan.architecture.hash(), batch};
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  stop_if_interrupted();
  const double microseconds = measure();
  known_[key] = microseconds;
  if (store_) store_->save({{key, microseconds}}, device_, image_size_);
  return microseconds;
}

}  // namespace adwp::apps
