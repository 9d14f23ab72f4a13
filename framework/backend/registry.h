// Which devices this binary has. A program registers them at its start; nobody else needs to know
// which ones exist.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/backend/backend.h"

namespace adwp {

class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Backend>()>;

  // `usable` says whether the device is there now (a binary may know CUDA and find no GPU).
  void add(std::string name, Factory factory, std::function<bool()> usable);

  // Opens a device by name; "auto" takes the first usable one in the order they were added.
  // Throws a usage Error that names the devices there are.
  std::unique_ptr<Backend> open(const std::string& name) const;
  std::vector<std::string> names() const;         // all, in order
  std::vector<std::string> usable_names() const;  // those that `open` would open

 private:
  struct Entry {
    std::string name;
    Factory factory;
    std::function<bool()> usable;
  };
  std::vector<Entry> entries_;
};

}  // namespace adwp
