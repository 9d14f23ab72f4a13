#include "apps/report/report.h"

#include <fmt/core.h>

#include "apps/report/run_files.h"
#include "framework/core/error.h"
#include "framework/io/atomic_file.h"

namespace adwp::apps {
namespace {

std::string_view file(std::string_view name) {
  for (const PageFile& candidate : page_files()) {
    if (candidate.name == name) return candidate.text;
  }
  fail("report", "the program holds no {}", name);
}

// What stands between double braces in a template, and what it stands for.
std::string text_of(std::string_view name, std::string_view kind, const std::string& json) {
  if (name == "title") return fmt::format("adwpnas: report of a {} run", kind);
  if (name == "style") return std::string(file("style.css"));
  if (name == "body") return std::string(file(fmt::format("{}.html", kind)));
  if (name == "chart") return std::string(file("chart.min.js"));
  if (name == "data") return json;
  if (name == "script") {
    std::string all;
    for (std::string_view part : {"common.js", "architecture.js"}) all += file(part);
    if (kind == "search") all += file("table.js");
    return all += file(fmt::format("{}.js", kind));
  }
  fail("report", "page.html asks for an unknown '{}'", name);
}

}  // namespace

std::string script_json(const nlohmann::ordered_json& data) {
  // In JSON, '<' stands only inside strings, where its escape means the same.
  std::string text;
  for (char c : data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

std::string page_of(std::string_view kind, const nlohmann::ordered_json& data) {
  const std::string json = script_json(data);
  std::string_view rest = file("page.html");
  std::string page;
  for (std::size_t open = rest.find("{{"); open != rest.npos; open = rest.find("{{")) {
    const std::size_t close = rest.find("}}", open);
    require(close != rest.npos, "report", "page.html leaves braces open");
    page += rest.substr(0, open);
    page += text_of(rest.substr(open + 2, close - open - 2), kind, json);
    rest.remove_prefix(close + 2);
  }
  return page += rest;
}

std::string report_of(const std::filesystem::path& run) {
  const RunFiles files(run);
  return files.is_search() ? page_of("search", search_data(files)) : page_of("train", train_data(files));
}

std::filesystem::path write_report(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "report.html";
  io::write_atomically(path.string(), report_of(run));
  return path;
}

}  // namespace adwp::apps
