// The settings of a program: one list serves the command line (settings.cpp), and `--config FILE` and
// config.toml (settings_file.cpp).
//
//   Settings settings("search", "Searches for convolutional networks.");
//   settings.group("Training");
//   settings.integer("batch", options.batch, "Images per step", 1, 65536);
//   if (!settings.parse(argc, argv)) return 0;  // --help or --version was printed
//
// `--NAME VALUE` on the command line wins over `NAME = VALUE` in the file, which wins over the recipe's value
// (recipe()), which wins over the value the variable had when it was added (its default). Names are unique; a
// file is TOML with these names as its keys and no tables. Wrong input is a usage Error in one line: an
// unknown option or key, a wrong type, a value out of its range, a missing option that is required.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace adwp::apps {

struct TomlValue;

class Settings {
 public:
  enum class Presence { optional, required };

  Settings(std::string program, const std::string& description);
  ~Settings();
  const std::string& program() const { return program_; }

  // Puts the options added after this under a title, in --help and in config.toml.
  void group(std::string title);

  // A whole number, low <= value <= high. T: int, int64_t or uint64_t.
  template <std::integral T>
  void integer(const std::string& name, T& value, const std::string& help, int64_t low, int64_t high);
  // A finite number, low <= value <= high.
  void real(const std::string& name, double& value, const std::string& help, double low, double high);
  // `placeholder` is what --help shows for the value, e.g. DIR.
  void text(const std::string& name, std::string& value, const std::string& placeholder,
            const std::string& help, Presence presence = Presence::optional);
  void choice(const std::string& name, std::string& value, const std::string& help,
              std::vector<std::string> choices);
  void flag(const std::string& name, bool& value, const std::string& help);
  // A named set of values for the options that are added after it: their values where neither the command
  // line nor --config says otherwise. `value` names one of `known`, or is the path of a TOML file.
  struct Recipe {
    std::string name, text;  // TOML
  };
  void recipe(const std::string& name, std::string& value, const std::string& help,
              std::vector<Recipe> known);
  // Arguments without a name, on the command line only; `placeholder` names them in --help.
  void argument(std::string& value, const std::string& placeholder, const std::string& help,
                Presence presence = Presence::optional);
  // One or more, after those of argument().
  void arguments(std::vector<std::string>& values, const std::string& placeholder, const std::string& help);
  // --resume and --quiet. They concern this process, not the run: config.toml does not hold them.
  void run_control(bool& resume, bool& quiet);

  // Fills the variables. False: the person asked for --help or --version, which was printed.
  bool parse(int argc, const char* const* argv);

  // Adds a fact that no setting says and the run's bits depend on, e.g. "device". Names are words.
  void found(const std::string& name, std::string value);

  // What a run's config.toml says was found, if it does.
  static std::optional<std::string> found_in(const std::filesystem::path& config, const std::string& name);

  // Contents of config.toml: the version, every setting and what was found. It is a valid `--config` file,
  // which reads only the settings.
  std::string toml() const;

  // For --resume: throws a usage Error, naming the first that differs, unless the version, the settings
  // and what was found so far are those of the run's config.toml. Settings named in `free` may differ.
  void require_same(const std::filesystem::path& config, const std::vector<std::string>& free) const;

 private:
  enum class Kind { integer, real, text, flag };
  enum class Scope { run, process };
  struct Entry {
    std::string name, group, help;
    Kind kind;
    Scope scope;
    Presence presence;
    CLI::Option* option;
    std::function<void(const std::string&)> assign;  // throws a usage Error
    std::function<std::string()> literal;            // the value now, as TOML
    bool given = false;                              // by the command line or a file
  };

  void add(Entry entry, const std::string& placeholder);
  void add_flag(const std::string& name, bool& value, const std::string& help, Scope scope);
  void refuse_unknown_arguments() const;
  void read_config(const std::string& path);
  void read_recipe();
  Entry& entry_of(const TomlValue& value);  // throws where there is none, or where the type is another
  void require_found(const std::string& name, const std::string& literal) const;
  const Entry* find(const std::string& name) const;
  std::string hint(const std::string& unknown) const;

  std::string program_;
  std::string group_ = "Options";
  std::string config_path_;
  std::string* recipe_ = nullptr;
  std::vector<Recipe> recipes_;
  std::size_t first_part_ = 0;  // of a recipe, among the entries
  std::unique_ptr<CLI::App> app_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> found_;
  std::vector<std::pair<std::string, std::function<bool()>>> required_arguments_;  // placeholder, is it there
};

}  // namespace adwp::apps
