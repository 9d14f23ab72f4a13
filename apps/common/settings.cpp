#include "apps/common/settings.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "apps/common/devices.h"
#include "apps/common/toml_values.h"
#include "framework/core/error.h"
#include "framework/version.h"

namespace adwp::apps {
namespace {

// False unless all of `text` is one number that fits.
template <typename T>
bool to_number(const std::string& text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

constexpr std::size_t longest_hinted = 64;  // bytes of an unknown name for which a known one is sought

std::string sentence(std::string message) {  // CLI11 begins its messages with a capital
  if (!message.empty()) message[0] = std::tolower(message[0]);
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

Settings::Settings(std::string program, const std::string& description)
    : program_(std::move(program)), app_(std::make_unique<CLI::App>(description, program_)) {
  app_->allow_extras();  // reported by us, with a hint
  app_->get_formatter()->column_width(36);
  app_->set_help_flag("-h,--help", "Print this help and exit");
  app_->set_version_flag("--version", [program = program_] {
    const Registry registry = devices();
    std::vector<std::string> usable;
    std::string others;
    for (const std::string& name : registry.names()) {
      const std::string obstacle = registry.obstacle(name);
      if (obstacle.empty()) usable.push_back(name);
      if (!obstacle.empty()) others += fmt::format("; not {}: {}", name, obstacle);
    }
    return fmt::format("{} (adwpnas) {}; devices here: {}{}", program, version, fmt::join(usable, ", "),
                       others);
  });
  app_->add_option("--config", config_path_, "Read settings from a TOML file; unknown keys are errors")
      ->option_text("FILE");
}

Settings::~Settings() = default;

void Settings::group(std::string title) { group_ = std::move(title); }

void Settings::add(Entry entry, const std::string& placeholder) {
  require(find(entry.name) == nullptr, "options", "option '{}' is added twice", entry.name);
  entry.group = group_;
  const std::string now = entry.literal();
  const bool show_default = entry.presence == Presence::optional && now != "\"\"";
  std::string bare = now;
  if (entry.kind == Kind::text) bare = now.substr(1, now.size() - 2);
  if (entry.kind != Kind::flag) {
    entry.option = app_->add_option(
        "--" + entry.name,
        [assign = entry.assign](const CLI::results_t& results) {
          assign(results.front());
          return true;
        },
        entry.help);
    entry.option->option_text(show_default ? fmt::format("{} [{}]", placeholder, bare) : placeholder);
  }
  entry.option->group(group_);
  entries_.push_back(std::move(entry));
}

template <std::integral T>
void Settings::integer(const std::string& name, T& value, const std::string& help, int64_t low,
                       int64_t high) {
  const auto assign = [&value, name, low, high](const std::string& text) {
    int64_t number = 0;
    if (!to_number(text, number) || number < low || number > high) {
      fail_usage("options", "--{} is out of its range, got '{}', expected a whole number from {} to {}", name,
                 text, low, high);
    }
    value = number;
  };
  const auto literal = [&value] { return fmt::format("{}", value); };
  add({name, {}, help, Kind::integer, Scope::run, Presence::optional, nullptr, assign, literal}, "N");
}
template void Settings::integer(const std::string&, int&, const std::string&, int64_t, int64_t);
template void Settings::integer(const std::string&, int64_t&, const std::string&, int64_t, int64_t);
template void Settings::integer(const std::string&, uint64_t&, const std::string&, int64_t, int64_t);

void Settings::real(const std::string& name, double& value, const std::string& help, double low,
                    double high) {
  const auto assign = [&value, name, low, high](const std::string& text) {
    double number = 0;
    if (!to_number(text, number) || !std::isfinite(number) || number < low || number > high) {
      fail_usage("options", "--{} is out of its range, got '{}', expected a number from {} to {}", name, text,
                 low, high);
    }
    value = number;
  };
  const auto literal = [&value] { return fmt::format("{}", value); };
  add({name, {}, help, Kind::real, Scope::run, Presence::optional, nullptr, assign, literal}, "X");
}

void Settings::text(const std::string& name, std::string& value, const std::string& placeholder,
                    const std::string& help, Presence presence) {
  const auto assign = [&value, name, placeholder](const std::string& text) {
    if (text.empty() || text.starts_with("--")) {
      fail_usage("options", "--{} lacks its value, got '{}', expected {}", name, text, placeholder);
    }
    value = text;
  };
  const auto literal = [&value] { return toml_quote(value); };
  add({name, {}, help, Kind::text, Scope::run, presence, nullptr, assign, literal}, placeholder);
}

void Settings::choice(const std::string& name, std::string& value, const std::string& help,
                      std::vector<std::string> choices) {
  const std::string placeholder = fmt::format("{}", fmt::join(choices, "|"));
  const auto assign = [&value, name, choices = std::move(choices)](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      fail_usage("options", "unknown --{}, got '{}', expected one of: {}", name, text,
                 fmt::join(choices, ", "));
    }
    value = text;
  };
  const auto literal = [&value] { return toml_quote(value); };
  add({name, {}, help, Kind::text, Scope::run, Presence::optional, nullptr, assign, literal}, placeholder);
}

void Settings::recipe(const std::string& name, std::string& value, const std::string& help,
                      std::vector<Recipe> known) {
  recipe_ = &value;
  recipes_ = std::move(known);
  std::string names;
  for (const Recipe& recipe : recipes_) names += recipe.name + "|";
  text(name, value, names + "FILE", help);
  first_part_ = entries_.size();
}

void Settings::flag(const std::string& name, bool& value, const std::string& help) {
  add_flag(name, value, help, Scope::run);
}

void Settings::argument(std::string& value, const std::string& placeholder, const std::string& help,
                        Presence presence) {
  app_->add_option(placeholder, value, help)->option_text(" ");
  if (presence == Presence::required) {
    required_arguments_.emplace_back(placeholder, [&value] { return !value.empty(); });
  }
}

void Settings::arguments(std::vector<std::string>& values, const std::string& placeholder,
                         const std::string& help) {
  app_->add_option(placeholder, values, help)->option_text("...");
  required_arguments_.emplace_back(placeholder, [&values] { return !values.empty(); });
}

void Settings::run_control(bool& resume, bool& quiet) {
  add_flag("resume", resume, "Continue the run in --out to the same result", Scope::process);
  add_flag("quiet", quiet, "Print only the result", Scope::process);
}

void Settings::add_flag(const std::string& name, bool& value, const std::string& help, Scope scope) {
  const auto assign = [&value](const std::string& text) { value = text == "true"; };
  const auto literal = [&value] { return std::string(value ? "true" : "false"); };
  CLI::Option* option = app_->add_flag("--" + name, value, help);
  add({name, {}, help, Kind::flag, scope, Presence::optional, option, assign, literal}, "");
}

bool Settings::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_->help().c_str(), stdout);
    return false;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", app_->version());
    return false;
  } catch (const CLI::ParseError& error) {
    fail_usage("options", "{}; see {} --help", sentence(error.what()), program_);
  }
  refuse_unknown_arguments();
  for (Entry& entry : entries_) entry.given = entry.option->count() > 0;
  if (!config_path_.empty()) read_config(config_path_);
  if (recipe_ != nullptr) read_recipe();
  for (const Entry& entry : entries_) {
    if (entry.presence == Presence::required && entry.literal() == "\"\"") {
      fail_usage("options", "--{} is required, got nothing; see {} --help", entry.name, program_);
    }
  }
  for (const auto& [placeholder, is_there] : required_arguments_) {
    if (!is_there()) {
      fail_usage("options", "{} is required, got nothing; see {} --help", placeholder, program_);
    }
  }
  return true;
}

void Settings::refuse_unknown_arguments() const {
  const std::vector<std::string> unknown = app_->remaining();
  if (unknown.empty()) return;
  const std::string& first = unknown.front();
  const bool is_option = first.starts_with("-");
  const std::string name = first.substr(std::min(first.find_first_not_of('-'), first.size()));
  fail_usage("options", "unknown {}, got '{}', expected only options of {}; {}",
             is_option ? "option" : "argument", first, program_, hint(name));
}

const Settings::Entry* Settings::find(const std::string& name) const {
  const auto at =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  return at == entries_.end() ? nullptr : &*at;
}

std::string Settings::hint(const std::string& unknown) const {
  const Entry* nearest = nullptr;
  std::size_t least = 3;  // two typing errors
  if (unknown.size() > longest_hinted) return fmt::format("see {} --help", program_);
  for (const Entry& entry : entries_) {
    const std::size_t distance = edit_distance(unknown, entry.name);
    if (distance < least) {
      least = distance;
      nearest = &entry;
    }
  }
  return nearest ? fmt::format("did you mean {}?", nearest->name) : fmt::format("see {} --help", program_);
}

}  // namespace adwp::apps
