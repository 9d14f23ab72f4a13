#include "tests/support/device.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

namespace adwp::test {

namespace {

struct Opened {
  std::unique_ptr<Backend> backend;
  std::string obstacle;
};

// Closed before main returns: after it the libraries behind a device may be gone.
class Devices : public testing::Environment {
 public:
  const Opened& open(const std::string& name) {
    const auto [at, fresh] = opened_.try_emplace(name);
    if (!fresh) return at->second;
    const char* engine = std::getenv("ADWPNAS_ENGINE");  // of the device that has more than one
    const Registry registry = apps::devices(0, "f32", engine != nullptr && name == "cuda" ? engine : "hand");
    at->second.obstacle = registry.obstacle(name);
    if (at->second.obstacle.empty()) at->second.backend = registry.open(name);
    return at->second;
  }
  void TearDown() override { opened_.clear(); }

 private:
  std::map<std::string, Opened> opened_;
};

// GoogleTest's, which deletes it.
Devices* const devices = static_cast<Devices*>(testing::AddGlobalTestEnvironment(new Devices));

}  // namespace

Backend* open_device(const std::string& name) { return devices->open(name).backend.get(); }

void DeviceTest::SetUp() {
  const Opened& opened = devices->open(GetParam());
  backend_ = opened.backend.get();
  if (backend_ == nullptr) GTEST_SKIP() << "device " << GetParam() << " is not here: " << opened.obstacle;
  arena_ = std::make_unique<Arena>(*backend_, std::size_t{256} << 20, Arena::Options{.guard = true});
}

bool DeviceTest::executes_ptx() const {
  return backend_ != nullptr && backend_->description().find("PTX on the CPU") != std::string::npos;
}

Tensor DeviceTest::upload(const oracle::Array& array) {
  return Tensor::from_host(arena(), array.shape, std::span<const float>(to_floats(array)));
}

Tensor DeviceTest::upload(Shape shape, const std::vector<std::int32_t>& values) {
  return Tensor::from_host(arena(), shape, std::span<const std::int32_t>(values));
}

oracle::Array random_array(Shape shape, std::uint64_t stream, double low, double high) {
  Random random(7, Purpose::test, stream);
  oracle::Array array(shape);
  for (double& v : array.values) {
    v = static_cast<float>(low + (high - low) * static_cast<double>(random.uniform()));
  }
  return array;
}

oracle::Array to_array(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_host<float>();
  return oracle::Array(tensor.shape(), std::vector<double>(values.begin(), values.end()));
}

std::vector<float> to_floats(const oracle::Array& array) {
  return std::vector<float>(array.values.begin(), array.values.end());
}

double nmse(const oracle::Array& found, const oracle::Array& expected) {
  if (!(found.shape == expected.shape)) return std::numeric_limits<double>::infinity();
  double error = 0, power = 0;
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    if (!std::isfinite(found.values[i])) return std::numeric_limits<double>::infinity();
    error += (found.values[i] - expected.values[i]) * (found.values[i] - expected.values[i]);
    power += expected.values[i] * expected.values[i];
  }
  if (power == 0) return error == 0 ? 0 : std::numeric_limits<double>::infinity();
  return error / power;
}

}  // namespace adwp::test
