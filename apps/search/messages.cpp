#include "apps/search/messages.h"

#include <fmt/core.h>

#include "framework/io/atomic_file.h"
#include "framework/io/checkpoint.h"

namespace adwp::apps {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string packed(const Json& json, const std::string& bytes) { return json.dump() + "\n" + bytes; }

std::pair<Json, std::string> unpacked(const std::string& message) {
  const std::size_t end = message.find('\n');
  return {Json::parse(message.substr(0, end)), message.substr(end + 1)};
}

Json outcome_json(const nas::Trained& trained, std::size_t peak) {
  return {{"accuracy", trained.accuracy}, {"loss", trained.loss}, {"peak", peak}};
}

std::string read_checkpoint_file(const fs::path& path) {
  constexpr std::size_t most = std::size_t{1} << 34;
  const std::vector<std::uint8_t> bytes = io::read_bytes(path.string(), most);
  return {bytes.begin(), bytes.end()};
}

std::string stored_checkpoint(const fs::path& checkpoint, RunLog& log) {
  const io::OnDamage say = [&](const std::string&, const Error& error) {
    log.damage(fmt::format("{}; going on from what was saved before it", error.what()));
  };
  const fs::path interrupted = fs::path(checkpoint).replace_extension(".interrupted.safetensors");
  for (const fs::path& path : {interrupted, checkpoint}) {
    if (const auto newest = io::read_newest(path.string(), say)) return read_checkpoint_file(newest->path);
  }
  return {};
}

}  // namespace adwp::apps
