// A student's numbers and words, from a TOML file of sections and keys.
#pragma once

#include <string>
#include <vector>

namespace adwp::course {

class Answers {
 public:
  // Reads FOLDER/FILE. Throws Wrong where there is none, or where it is no TOML.
  Answers(const std::string& folder, const std::string& file);

  // The number at [section] key; an empty section stands for the top of the file. Throws Wrong where it is
  // missing, no number, or still 0, which the starting points hold.
  double number(const std::string& section, const std::string& key) const;
  std::string text(const std::string& section, const std::string& key) const;  // likewise; "" is no answer

 private:
  struct Entry {
    std::string section, key, text;
    double number;
    bool is_number;
  };
  const Entry& at(const std::string& section, const std::string& key) const;

  std::string file_;
  std::vector<Entry> entries_;
};

// FOLDER/FILE as text. Throws Wrong where there is none.
std::string read_answer(const std::string& folder, const std::string& file);

}  // namespace adwp::course
