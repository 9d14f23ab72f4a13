// Runs programs as a user would.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace adwp::test {

struct Finished {
  int status = 0;  // exit status; 128 + signal when killed by one
  std::string out, err;
};

// A program at work. `arguments[0]` is the program. Standard input is empty; output goes to files, so that
// it is what a pipe would get.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();  // kills it, if need be
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Returns once `text` stands on its standard error; false when it ended without.
  bool wait_for(const std::string& text);
  void signal(int signal);
  pid_t id() const { return child_; }
  Finished wait();

 private:
  bool ended();

  TemporaryDirectory directory_;
  pid_t child_ = 0;
  int status_ = -1;  // as waitpid gives it, once it has ended
};

// Runs a program to its end.
Finished run(const std::vector<std::string>& arguments);

}  // namespace adwp::test
