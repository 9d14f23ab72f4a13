// What the network said about each image, and how it is printed.
#pragma once

#include <string>
#include <vector>

namespace adwp::apps {

struct Answer {
  struct Guess {
    std::string name;
    double probability = 0;
  };
  std::string image;
  std::vector<Guess> guesses;  // most probable first
  std::vector<float> logits;   // in the order of the classes
};

// `logits` (images, classes). At most `top` guesses an image.
std::vector<Answer> answers_of(const std::vector<std::string>& images, const std::vector<float>& logits,
                               const std::vector<std::string>& classes, std::size_t top);

std::string table_of(const std::vector<Answer>& answers);
// [{"image", "classes": [{"name", "probability"}], "logits": []}]
std::string json_of(const std::vector<Answer>& answers);

}  // namespace adwp::apps
