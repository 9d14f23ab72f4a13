#include "framework/backend/profile.h"

#include "framework/backend/backend.h"

namespace adwp {

double Backend::seconds(const std::function<void()>& work) {
  synchronize();
  const auto start = std::chrono::steady_clock::now();
  work();
  synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void ProfileScope::start(Profile::Row& row, double bytes, double flops) {
  row_ = &row;
  row.bytes += bytes;
  row.flops += flops;
  backend_.synchronize();
  start_ = std::chrono::steady_clock::now();
}

ProfileScope::~ProfileScope() {
  if (row_ == nullptr) return;
  backend_.synchronize();
  ++row_->calls;
  row_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace adwp
