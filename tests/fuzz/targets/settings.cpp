// A settings file, as `search --config` reads it. Accepted: what is written into config.toml says the same.
#include "apps/common/settings.h"

#include "apps/search/setup.h"
#include "tests/fuzz/support.h"

using namespace adwp;

namespace {

std::string read(const std::string& path) {
  apps::SearchOptions options;
  apps::Settings settings("search", "Searches.");
  apps::declare(settings, options);
  const char* argv[] = {"search", "--config", path.c_str()};
  settings.parse(3, argv);
  settings.found("device", "none");
  settings.require_same(path, {});
  return settings.toml();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = fuzz::write_file("config.toml", {reinterpret_cast<const char*>(data), size});
  std::string text;
  if (!fuzz::accepts([&] { text = read(path); })) return 0;
  fuzz::expect(read(fuzz::write_file("again.toml", text)) == text, "a fixed point");
  return 0;
}
