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

void ProfileScope::start(Profile& profile, std::string_view method, const std::string& detail) {
  std::string key(method);
  if (!detail.empty()) key.append(" ").append(detail);
  row_ = &profile.rows[key];
  backend_.synchronize();
  start_ = std::chrono::steady_clock::now();
}

void ProfileScope::count(std::initializer_list<const Tensor*> operands, double flops) {
  for (const Tensor* operand : operands) {
    if (operand->defined()) row_->bytes += static_cast<double>(operand->bytes());
  }
  row_->flops += flops;
}

ProfileScope::~ProfileScope() {
  if (row_ == nullptr) return;
  backend_.synchronize();
  ++row_->calls;
  row_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace adwp
