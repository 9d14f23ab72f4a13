#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "apps/common/terminal.h"
#include "apps/inspect/views.h"
#include "data/survey.h"
#include "framework/core/error.h"

namespace adwp::apps {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const data::SplitSurvey& survey) {
  const data::Inventory& inventory = survey.inventory;
  std::int64_t images = 0;
  Table classes({{"class", Table::Align::left}, {"images"}});
  for (const data::Inventory::Class& c : inventory.classes) {
    classes.row({one_line(c.name), std::to_string(c.images)});
    images += c.images;
  }
  std::string text = fmt::format("{} split: {} images in {} classes\n\n{}\n", survey.split, images,
                                 inventory.classes.size(), classes.text());
  Table sizes({{"width x height", Table::Align::left}, {"images"}});
  for (const auto& [size, count] : inventory.sizes) {
    sizes.row({fmt::format("{} x {}", size.second, size.first), std::to_string(count)});
  }
  text += sizes.text();
  if (survey.duplicates > 0)
    text += fmt::format("\n{} images equal an earlier one in every pixel\n", survey.duplicates);
  if (survey.in_training > 0)
    text += fmt::format("\n{} images equal one of the training split in every pixel\n", survey.in_training);
  if (inventory.left_out.empty()) return text + "\nnothing is left out\n";
  text += "\n" + data::text_of(inventory.left_out) + "\n";
  for (const data::Inventory::LeftOut& file : inventory.left_out) {
    text += fmt::format("  {}: {}\n", one_line(file.path), file.detail.empty() ? file.reason : file.detail);
  }
  return text;
}

Json json_of(const data::SplitSurvey& survey) {
  Json json{{"split", survey.split}, {"classes", Json::array()}, {"sizes", Json::array()}};
  for (const auto& c : survey.inventory.classes) {
    json["classes"].push_back({{"name", c.name}, {"images", c.images}});
  }
  for (const auto& [size, count] : survey.inventory.sizes) {
    json["sizes"].push_back({{"height", size.first}, {"width", size.second}, {"images", count}});
  }
  json["duplicates"] = survey.duplicates;
  json["in_training"] = survey.in_training;
  json["left_out"] = Json::array();
  for (const auto& file : survey.inventory.left_out) {
    json["left_out"].push_back({{"path", file.path},
                                {"reason", file.reason},
                                {"detail", file.detail.empty() ? Json() : Json(file.detail)}});
  }
  return json;
}

}  // namespace

std::string data_as_text(const std::string& spec) {
  std::string text;
  const std::vector<data::SplitSurvey> splits = data::survey(data::parse_data_spec(spec));
  for (const data::SplitSurvey& survey : splits) text += (text.empty() ? "" : "\n") + text_of(survey);
  return splits.size() > 1 ? text : text + "\nno test split: search can use these data, train cannot\n";
}

std::string data_as_json(const std::string& spec) {
  Json splits = Json::array();
  for (const data::SplitSurvey& survey : data::survey(data::parse_data_spec(spec))) {
    splits.push_back(json_of(survey));
  }
  // Names of files need not be UTF-8.
  return Json{{"data", spec}, {"splits", splits}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace adwp::apps
