// The frame of every program's main(): errors become one line on stderr and an exit code, and Ctrl-C stops a
// run where it can go on.
#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

namespace adwp::apps {

inline constexpr int interrupted_status = 130;  // 128 + SIGINT, as shells have it

// Calls `body` and returns the exit code: 0 done, 1 the work failed, 2 wrong use, 130 interrupted. Reports an
// exception, or output that could not be written, as `error: [where] what` on one line.
int run_main(int argc, char** argv, const std::function<void(int, char**)>& body);

// How work ended: an exit code, and the reason, "[where] what", if it is not 0.
struct Ending {
  int code = 0;
  std::string reason;
};
// Does `work`, and says what an exception means to a program.
Ending ending_of(const std::function<void()>& work);

// Ctrl-C and SIGTERM. Without note_interrupts() they end the program. After it, the first one is noted: the
// program finishes its batch, saves, says how to go on and exits with 130. The second one ends it at once;
// that is safe too, because a run survives any kill.

// Thrown where work stops; what() says how to go on.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// `program` and `config`, the run's config.toml, are for the message.
void note_interrupts(const std::string& program, const std::filesystem::path& config);

// True after a signal: for work that has something to save before it stops.
bool interrupted();

// Throws Interrupted after a signal (or where it is known that another rank got one). Call it between
// batches.
void stop_if_interrupted(bool known = false);

}  // namespace adwp::apps
