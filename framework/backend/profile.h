// Where the time goes: calls, seconds, bytes and floating-point operations by backend method.
//
// Bytes: every operand once, what a method must at least move. Operations: those of matrix products and
// convolutions (a multiply-add is two); the rest waits for memory.
//
// While a Profile is attached (Backend::attach), every public method is timed by itself: the device
// is drained before and after. Totals are exact for each method, and too slow for the whole, because
// nothing overlaps; compare shares, not the sum with an undisturbed run.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace adwp {

class Backend;
class Tensor;

struct Profile {
  struct Row {
    std::int64_t calls = 0;
    double seconds = 0;
    double bytes = 0, flops = 0;
  };
  std::map<std::string, Row> rows;  // by method, or by method and shape

  bool by_shape = false;  // keep one row for each shape of the main operands
};

// Times the rest of the enclosing block when a profile is attached. `operands` are what the method reads
// and writes; `detail` makes the text that tells shapes apart, and is called only when that is wanted.
class ProfileScope {
 public:
  ProfileScope(Backend& backend, Profile* profile, std::string_view method,
               std::initializer_list<const Tensor*> operands, double flops = 0)
      : ProfileScope(backend, profile, method, operands, flops, [] { return std::string(); }) {}
  template <typename Detail>
  ProfileScope(Backend& backend, Profile* profile, std::string_view method,
               std::initializer_list<const Tensor*> operands, double flops, Detail&& detail)
      : backend_(backend) {
    if (profile == nullptr) return;
    start(*profile, method, profile->by_shape ? detail() : std::string());
    count(operands, flops);
  }
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  void start(Profile& profile, std::string_view method, const std::string& detail);
  void count(std::initializer_list<const Tensor*> operands, double flops);

  Backend& backend_;
  Profile::Row* row_ = nullptr;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace adwp
