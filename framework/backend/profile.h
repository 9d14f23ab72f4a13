// Where the time goes: calls and seconds by backend method.
//
// While a Profile is attached (Backend::attach), every public method is timed by itself: the device
// is drained before and after. Totals are exact for each method, and too slow for the whole, because
// nothing overlaps; compare shares, not the sum with an undisturbed run.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace adwp {

class Backend;

struct Profile {
  struct Row {
    std::int64_t calls = 0;
    double seconds = 0;
  };
  std::map<std::string, Row> rows;  // by method, or by method and shape

  bool by_shape = false;  // keep one row for each shape of the main operands
};

// Times the rest of the enclosing block when a profile is attached. `detail` makes the text that
// tells shapes apart; it is called only when that is wanted.
class ProfileScope {
 public:
  ProfileScope(Backend& backend, Profile* profile, std::string_view method)
      : ProfileScope(backend, profile, method, [] { return std::string(); }) {}
  template <typename Detail>
  ProfileScope(Backend& backend, Profile* profile, std::string_view method, Detail&& detail)
      : backend_(backend) {
    if (profile != nullptr) start(*profile, method, profile->by_shape ? detail() : std::string());
  }
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  void start(Profile& profile, std::string_view method, const std::string& detail);

  Backend& backend_;
  Profile::Row* row_ = nullptr;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace adwp
