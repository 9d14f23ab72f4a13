#include "framework/backend/registry.h"

#include <fmt/ranges.h>

#include "framework/core/error.h"

namespace adwp {

void Registry::add(std::string name, Factory factory, std::function<bool()> usable) {
  entries_.push_back({std::move(name), std::move(factory), std::move(usable)});
}

std::unique_ptr<Backend> Registry::open(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (name == "auto" ? entry.usable() : name == entry.name) {
      if (!entry.usable()) fail("device", "no {} device found on this machine", name);
      return entry.factory();
    }
  }
  fail_usage("device", "unknown device, got '{}', expected auto or one of: {}", name,
             fmt::join(names(), ", "));
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

std::vector<std::string> Registry::usable_names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    if (entry.usable()) names.push_back(entry.name);
  }
  return names;
}

}  // namespace adwp
