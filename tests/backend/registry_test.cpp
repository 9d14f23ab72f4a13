// Which device a name opens, and what is said of those that cannot be used.
#include <vector>

#include "apps/common/devices.h"
#include "cuda/cuda_backend.h"
#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

// "broken" stands before a device that works.
Registry registry() {
  Registry devices;
  devices.add(
      "broken", []() -> std::unique_ptr<Backend> { throw std::logic_error("opened"); },
      [] { return "[broken] the driver is too old"; });
  devices.add(
      "working", [] { return emulated::open(); }, [] { return ""; });
  return devices;
}

std::string error_of(const std::string& name) {
  try {
    registry().open(name);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Registry, AnObstacleIsGivenAsTheReason) {
  EXPECT_EQ(error_of("broken"), "[device] broken cannot be used here: [broken] the driver is too old");
  EXPECT_EQ(error_of("other"),
            "[device] unknown device, got 'other', expected auto or one of: broken, working");
  EXPECT_EQ(registry().obstacle("broken"), "[broken] the driver is too old");
  EXPECT_EQ(registry().obstacle("working"), "");
}

TEST(Registry, AutoSaysWhatItPassesOver) {
  std::vector<std::string> said;
  EXPECT_EQ(registry().open("auto", [&](const std::string& line) { said.push_back(line); })->name(),
            "emulated");
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0], "device broken cannot be used here: [broken] the driver is too old");
}

// Each device that this binary has works, or says in one line why it does not.
TEST(Registry, EveryDeviceOpensOrHasAnObstacle) {
  const Registry devices = apps::devices();
  for (const std::string& name : devices.names()) {
    const std::string obstacle = devices.obstacle(name);
    EXPECT_EQ(obstacle.find('\n'), std::string::npos) << obstacle;
    if (obstacle.empty()) {
      EXPECT_EQ(devices.open(name)->name(), name);
    }
  }
}

}  // namespace
}  // namespace adwp::test
