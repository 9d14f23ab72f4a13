// Where the time goes: calls, seconds, bytes and floating-point operations by operator.
//
// Bytes: every operand once, what an operator must at least move. Operations: those of matrix products and
// convolutions (a multiply-add is two); the rest waits for memory.
//
// While a Profile is attached (Backend::attach), every operator is timed separately: the device is drained
// before and after. Totals are exact for each operator, and too slow for the whole, because nothing overlaps;
// compare shares, not the sum with an undisturbed run.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "framework/backend/operands.h"

namespace adwp {

class Backend;

struct Profile {
  struct Row {
    std::int64_t calls = 0;
    double seconds = 0;
    double bytes = 0, flops = 0;
  };
  std::map<std::string, Row> rows;  // by operator, or by operator and shape

  bool by_shape = false;  // keep one row for each shape of the main operands

  // Told of each call when it is done; may be empty.
  std::function<void(const std::string& row, double bytes, double flops)> after = {};
};

// Times what stands between its making and stop() when a profile is attached. Both wait for the device, and
// throw Error when it fails; a scope that an error leaves without stop() counts nothing.
class ProfileScope {
 public:
  template <typename Op>
  ProfileScope(Backend& backend, Profile* profile, const Op& op, const Operands& operands)
      : backend_(backend) {
    if (profile == nullptr) return;
    std::string key = Op::name;
    if constexpr (requires { op.text(); }) {
      if (profile->by_shape) key += " " + op.text();
    }
    double flops = 0;
    if constexpr (requires { op.flops(); }) flops = op.flops();
    start(*profile, key, operands.bytes(), flops);
  }
  void stop();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  void start(Profile& profile, const std::string& key, double bytes, double flops);

  Backend& backend_;
  Profile* profile_ = nullptr;
  std::string key_;
  double bytes_ = 0, flops_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace adwp
