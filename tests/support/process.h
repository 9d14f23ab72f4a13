// Runs a program to its end, as a user would.
#pragma once

#include <string>
#include <vector>

namespace adwp::test {

struct Finished {
  int status = 0;  // exit status; 128 + signal when killed by one
  std::string out, err;
};

// `arguments[0]` is the program. Standard input is empty.
Finished run(const std::vector<std::string>& arguments);

}  // namespace adwp::test
