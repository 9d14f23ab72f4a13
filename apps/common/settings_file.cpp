// Settings in files: what `--config FILE` reads, and config.toml, which a run that is resumed must equal.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/common/settings.h"
#include "apps/common/toml_values.h"
#include "framework/core/error.h"
#include "framework/version.h"

namespace adwp::apps {
namespace {

const std::string found_prefix = "found-";  // keys of config.toml that are no settings

}  // namespace

Settings::Entry& Settings::entry_of(const TomlValue& value) {
  using Type = TomlValue::Type;
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.name == value.key; });
  if (at == entries_.end()) {
    fail_usage("config", "{}: unknown key, got '{}', expected an option of {}; {}", value.where, value.key,
               program_, hint(value.key));
  }
  const Kind kind = at->kind;
  const bool fits = kind == Kind::integer ? value.type == Type::integer
                    : kind == Kind::real  ? value.type == Type::real || value.type == Type::integer
                    : kind == Kind::text  ? value.type == Type::text
                                          : value.type == Type::boolean;
  if (!fits) {
    const char* expected = kind == Kind::integer ? "a whole number"
                           : kind == Kind::real  ? "a number"
                           : kind == Kind::text  ? "a string"
                                                 : "true or false";
    fail_usage("config", "{}: {} has the wrong type, got {}, expected {}", value.where, value.key,
               value.literal, expected);
  }
  return *at;
}

void Settings::read_config(const std::string& path) {
  for (const TomlValue& value : read_flat_toml(path)) {
    // These say which version wrote a config.toml, and on what device and data.
    if (value.key == "version" || value.key.starts_with(found_prefix)) continue;
    Entry& entry = entry_of(value);
    const bool not_set = entry.kind == Kind::text && value.raw.empty();
    if (entry.given || not_set) continue;
    entry.assign(value.raw);
    entry.given = true;
  }
}

void Settings::read_recipe() {
  // A config.toml says it all: its run goes on without the recipe's file.
  if (std::all_of(entries_.begin() + first_part_, entries_.end(), [](const Entry& e) { return e.given; }))
    return;
  const auto known = std::find_if(recipes_.begin(), recipes_.end(),
                                  [&](const Recipe& recipe) { return recipe.name == *recipe_; });
  if (known == recipes_.end() && !std::filesystem::exists(*recipe_)) {
    std::string names;
    for (const Recipe& recipe : recipes_) names += recipe.name + ", ";
    fail_usage("options", "unknown --recipe, got '{}', expected {}or a TOML file", *recipe_, names);
  }
  const std::vector<TomlValue> values = known == recipes_.end()
                                            ? read_flat_toml(*recipe_)
                                            : parse_flat_toml(known->text, "recipe " + known->name);
  for (const TomlValue& value : values) {
    Entry& entry = entry_of(value);
    const std::size_t number = &entry - entries_.data();
    if (number < first_part_) {
      fail_usage("config", "{}: {} is no part of a recipe; give it on the command line or with --config",
                 value.where, value.key);
    }
    if (!entry.given) entry.assign(value.raw);
  }
}

void Settings::found(const std::string& name, std::string value) {
  found_.emplace_back(name, std::move(value));
}

std::optional<std::string> Settings::found_in(const std::filesystem::path& config, const std::string& name) {
  for (const TomlValue& value : read_flat_toml(config)) {
    if (value.key == found_prefix + name) return value.raw;
  }
  return std::nullopt;
}

std::string Settings::toml() const {
  std::string text = fmt::format("# Settings of {}; `{} --config` reads them.\nversion = {}\n", program_,
                                 program_, toml_quote(version));
  std::string last_group;
  for (const Entry& entry : entries_) {
    if (entry.scope == Scope::process) continue;
    if (entry.group != last_group) text += fmt::format("\n# {}\n", entry.group);
    last_group = entry.group;
    text += fmt::format("{} = {}\n", entry.name, entry.literal());
  }
  if (!found_.empty()) text += "\n# Found, not set; --resume wants them equal\n";
  for (const auto& [name, value] : found_) {
    text += fmt::format("{}{} = {}\n", found_prefix, name, toml_quote(value));
  }
  return text;
}

void Settings::require_same(const std::filesystem::path& config, const std::vector<std::string>& free) const {
  for (const TomlValue& value : read_flat_toml(config)) {
    if (value.key == "version" && value.raw != version) {
      fail_usage("options",
                 "the version differs from the run to resume, got {}, expected {}; resume with the program "
                 "that began it, or start anew with another --out",
                 version, value.raw);
    }
    if (value.key.starts_with(found_prefix)) {
      require_found(value.key.substr(found_prefix.size()), value.literal);
    }
    const Entry* entry = find(value.key);
    if (!entry || std::find(free.begin(), free.end(), value.key) != free.end()) continue;
    if (entry->literal() != value.literal) {
      fail_usage("options",
                 "--{} differs from the run to resume, got {}, expected {}; resume with "
                 "`--config {} --resume`, or start anew with another --out",
                 value.key, entry->literal(), value.literal, config.string());
    }
  }
}

void Settings::require_found(const std::string& name, const std::string& literal) const {
  for (const auto& [known, value] : found_) {
    if (known != name || toml_quote(value) == literal) continue;
    fail_usage("options",
               "the {} differs from the run to resume, got {}, expected {}; go on with what it began with, "
               "or start anew with another --out",
               name, toml_quote(value), literal);
  }
}

}  // namespace adwp::apps
