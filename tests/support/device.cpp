#include "tests/support/device.h"

#include <bit>
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

namespace {

std::uint16_t bf16_of(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::uint32_t low = bits & 0xFFFFu, high = bits >> 16;
  const bool up = low > 0x8000u || (low == 0x8000u && (high & 1u) != 0);
  return static_cast<std::uint16_t>(high + (up ? 1u : 0u));
}
double value_of(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

}  // namespace

oracle::Array rounded(oracle::Array array) {
  for (double& value : array.values) value = value_of(bf16_of(value));
  return array;
}

Tensor upload_bf16(Arena& arena, const oracle::Array& array) {
  std::vector<Bf16> values;
  for (double value : array.values) values.push_back({bf16_of(value)});
  return Tensor::from_host(arena, array.shape, std::span<const Bf16>(values));
}

oracle::Array to_array(const Tensor& tensor) {
  if (tensor.dtype() == DType::bf16) {
    oracle::Array array(tensor.shape());
    const std::vector<Bf16> stored = tensor.to_host<Bf16>();
    for (std::size_t i = 0; i < stored.size(); ++i) array.values[i] = value_of(stored[i].bits);
    return array;
  }
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
