#include <charconv>
#include <set>

#include "data/data_set.h"
#include "framework/core/error.h"

namespace adwp::data {
namespace {

constexpr const char* form =
    "synthetic[:N], cifar10:DIR, cifar100:DIR, folder:DIR or idx:DIR, with "
    "?limit=N&size=PIXELS&skip-bad&exif=ignore";

std::int64_t number(std::string_view text, std::int64_t low, std::int64_t high, std::string_view what) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    fail_usage("data", "bad {}, got '{}', expected an integer from {} to {}", what, text, low, high);
  }
  return value;
}

// `query`: what stands behind the last '?'; `before`: the rest.
void read_settings(DataSpec& spec, std::string_view before, std::string_view query) {
  for (const char* setting : {"?limit", "?size", "?skip-bad", "?exif"}) {
    if (before.find(setting) != before.npos) {
      fail_usage("data", "a second '?' in '{}', expected '&' between settings: ?limit=N&size=PIXELS",
                 spec.text);
    }
  }
  std::set<std::string_view> given;
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!given.insert(key).second)
      fail_usage("data", "'{}' stands twice in '{}', expected once", key, spec.text);
    if (key == "limit") {
      spec.limit = number(value, 1, 100'000'000, "limit");
    } else if (key == "size") {
      spec.size = number(value, 4, 512, "size");
    } else if (key == "skip-bad" && equals == std::string_view::npos) {
      spec.skip_bad = true;
    } else if (key == "exif" && (value == "ignore" || value == "apply")) {
      spec.orientation = value == "apply" ? Orientation::apply : Orientation::ignore;
    } else {
      fail_usage(
          "data",
          "unknown setting '{}' in '{}', expected limit=N, size=PIXELS, skip-bad or exif=ignore; a folder "
          "with '?' in its name wants one more '?' behind it",
          pair, spec.text);
    }
  }
}

}  // namespace

DataSpec parse_data_spec(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) fail_usage("data", "a data set's name with a zero byte");
  DataSpec spec;
  spec.text = text;
  std::string_view rest = text;
  std::string_view query;
  if (const auto mark = rest.rfind('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const auto colon = rest.find(':');
  const std::string_view kind = rest.substr(0, colon);
  const std::string_view argument =
      colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);

  if (kind == "synthetic") {
    if (colon != std::string_view::npos) {
      spec.synthetic_images = number(argument, 20, 1'000'000, "number of synthetic images");
    }
  } else {
    if (kind == "cifar10")
      spec.kind = DataSpec::Kind::cifar10;
    else if (kind == "cifar100")
      spec.kind = DataSpec::Kind::cifar100;
    else if (kind == "folder")
      spec.kind = DataSpec::Kind::folder;
    else if (kind == "idx")
      spec.kind = DataSpec::Kind::idx;
    else
      fail_usage("data", "unknown data set, got '{}', expected {}", text, form);
    if (argument.empty()) fail_usage("data", "no folder, got '{}', expected {}", text, form);
    spec.directory = argument;
  }
  read_settings(spec, rest, query);
  return spec;
}

}  // namespace adwp::data
