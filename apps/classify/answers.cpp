#include "apps/classify/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/common/table.h"
#include "nas/network/inference.h"

namespace adwp::apps {

std::vector<Answer> answers_of(const std::vector<std::string>& images, const std::vector<float>& logits,
                               const std::vector<std::string>& classes, std::size_t top) {
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::span<const float> row(logits.data() + i * classes.size(), classes.size());
    const std::vector<double> probabilities = nas::Inference::softmax(row);
    std::vector<std::size_t> order(classes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    order.resize(std::min(top, order.size()));
    Answer answer{images[i], {}, {row.begin(), row.end()}};
    for (std::size_t c : order) answer.guesses.push_back({classes[c], probabilities[c]});
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::string table_of(const std::vector<Answer>& answers) {
  Table table({{"image", Table::Align::left}, {"class", Table::Align::left}, {"probability"}});
  for (const Answer& answer : answers) {
    std::string image = answer.image;
    for (const Answer::Guess& guess : answer.guesses) {
      table.row({std::exchange(image, ""), guess.name, fmt::format("{:.4f}", guess.probability)});
    }
  }
  return table.text();
}

std::string json_of(const std::vector<Answer>& answers) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Answer& answer : answers) {
    Json classes = Json::array();
    for (const Answer::Guess& guess : answer.guesses) {
      classes.push_back({{"name", guess.name}, {"probability", guess.probability}});
    }
    list.push_back({{"image", answer.image}, {"classes", classes}, {"logits", answer.logits}});
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // paths need not be UTF-8
}

}  // namespace adwp::apps
