// Ctrl-C and SIGTERM: the program finishes the batch at hand, saves, says how to go on and exits with 130.
// Once more, and it ends at once; that is safe too, for a run survives any kill.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace adwp::apps {

// Thrown where work stops; what() says how to go on.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// From here on both signals are noted: for a program that will ask. Before, and elsewhere, they end it.
void note_interrupts();

// Did one come? For work that has something to save before it stops.
bool interrupted();

// Throws Interrupted when one came. To be called between batches; `config` is the run's config.toml.
void stop_if_interrupted(const std::string& program, const std::filesystem::path& config);

}  // namespace adwp::apps
