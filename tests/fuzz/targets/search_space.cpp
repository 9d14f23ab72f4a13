// A search space's TOML file. Accepted: to_toml is a fixed point, and what is sampled lies in the space.
#include "nas/space/search_space.h"
#include "tests/fuzz/support.h"

using namespace adwp;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = fuzz::write_file("space.toml", {reinterpret_cast<const char*>(data), size});
  nas::SearchSpace space;
  if (!fuzz::accepts([&] { space = nas::SearchSpace::from_toml(path); })) return 0;
  const std::string text = space.to_toml();
  const nas::SearchSpace again = nas::SearchSpace::from_toml(fuzz::write_file("again.toml", text));
  fuzz::expect(again.to_toml() == text && again.name == space.name, "a fixed point");
  Random random(1, Purpose::test, 0);
  const nas::Architecture one = space.sample(random);
  fuzz::expect(space.contains(one), "a sample lies in its space");
  fuzz::expect(nas::Architecture::from_json(one.to_json()) == one, "a sample is an architecture");
  fuzz::expect(space.size() >= 1, "a space is not empty");
  return 0;
}
