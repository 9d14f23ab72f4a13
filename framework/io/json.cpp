#include "framework/io/json.h"

#include <fmt/core.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "framework/io/file_kind.h"

namespace adwp::io {
namespace {

using Json = nlohmann::json;

// The objects and arrays that are open while a text is parsed.
class OpenValues {
 public:
  void follow(Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::key) return take_key(parsed.get<std::string>());
    if (event == Event::object_end || event == Event::array_end) return levels_.pop_back();
    if (!levels_.empty() && levels_.back().is_array) ++levels_.back().index;
    if (event == Event::object_start || event == Event::array_start) {
      levels_.push_back({.is_array = event == Event::array_start});
    }
  }

 private:
  struct Level {
    bool is_array = false;
    int index = -1;
    std::string key = {};
    std::unordered_set<std::string> keys = {};
  };

  void take_key(const std::string& key) {
    levels_.back().key = key;
    if (!levels_.back().keys.insert(key).second) throw BadJson(path() + " stands twice");
  }

  std::string path() const {  // "stages[1].width"
    std::string text;
    for (const Level& level : levels_) {
      text += level.is_array ? fmt::format("[{}]", level.index) : (text.empty() ? "" : ".") + level.key;
    }
    return text;
  }

  std::vector<Level> levels_;
};

}  // namespace

Json parse_json(std::string_view text) {
  OpenValues open;
  try {
    return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
      open.follow(event, parsed);
      return true;
    });
  } catch (const Json::exception& error) {
    const std::string kind = known_kind(text.substr(0, 512));
    if (!kind.empty()) throw BadJson("not JSON: it is " + kind);
    // "[...] parse error at line 1, column 2: syntax error ...", "[...] number overflow parsing '1e4000'"
    const std::string what = error.what();
    const std::size_t line = what.find("line "), bracket = what.find("] ");
    const std::size_t at = line != what.npos ? line : bracket != what.npos ? bracket + 2 : 0;
    throw BadJson("not JSON: " + what.substr(at));
  }
}

}  // namespace adwp::io
