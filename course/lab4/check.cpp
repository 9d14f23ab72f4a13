// The checker of lab 4: a space and its size, multiply-accumulates, twins, an encoding.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "course/common/answers.h"
#include "course/common/report.h"
#include "course/lab4/faulty_encoding.h"
#include "framework/core/error.h"
#include "nas/space/network_plan.h"

namespace adwp::course {
namespace {

using nas::Architecture, nas::SearchSpace;

// The student's space; a fault in the file is the engine's message, with the line.
SearchSpace own_space(const std::string& folder) {
  read_answer(folder, "space.toml");
  return SearchSpace::from_toml(folder + "/space.toml");
}

std::string check_space(const std::string& folder) {
  const SearchSpace space = own_space(folder);
  const auto has_join = [&](nas::Join join) {
    return std::find(space.joins.begin(), space.joins.end(), join) != space.joins.end();
  };
  expect(space.stages.size() >= 2, "space.toml: {} stage, expected at least 2", space.stages.size());
  expect(space.operations.size() >= 3, "space.toml: {} operations, expected at least 3",
         space.operations.size());
  expect(has_join(nas::Join::add) && has_join(nas::Join::concat),
         "space.toml: expected the joins add and concat, beside none");
  expect(space.residual == nas::Residual::free,
         "space.toml: expected residual = true: each block is free to have one");
  expect(space.size() >= 1e5 && space.size() <= 1e9,
         "space.toml: the space has {:.4g} architectures, expected 100,000 to 1,000,000,000", space.size());
  const std::int64_t macs = nas::plan_network(space.largest(), {}).macs();
  expect(macs <= 20'000'000,
         "space.toml: its largest network takes {:.1f} M multiply-accumulates on 32 x 32 pixels, "
         "expected at most 20 M; narrower stages, or a stride sooner",
         macs * 1e-6);
  return fmt::format("largest network {:.1f} M multiply-accumulates", macs * 1e-6);
}

std::string check_size(const std::string& folder) {
  const double size = own_space(folder).size();
  const double answer = Answers(folder, "answers.toml").number("", "size");
  expect(
      std::abs(answer - size) <= 1e-9 * size,
      "answers.toml: size is {:.0f}, but the space has another number of architectures; depths add up, "
      "choices multiply (head widths, too), a stage's first block has neither residual nor join, and block i "
      "joins one of i earlier values",
      answer);
  return fmt::format("{:.0f} architectures", size);
}

std::string check_macs(const std::string& folder) {
  const nas::NetworkPlan plan =
      nas::plan_network(Architecture::from_file(std::string(ADWP_COURSE_FOLDER) + "/lab4/network.json"), {});
  const Answers answers(folder, "answers.toml");
  std::int64_t layers = 0;
  for (const nas::LayerSpec& layer : plan.layers) {
    const double answer = answers.number("macs", layer.name);
    const double groups = layer.conv.depthwise ? layer.in_channels : 1;
    const std::string hint = answer == layer.macs() * groups && groups > 1
                                 ? "; each channel of a depthwise convolution sees itself alone"
                             : answer == layer.macs() * layer.conv.stride * layer.conv.stride
                                 ? "; count the pixels that come out"
                             : layer.first_channels != layer.in_channels && layer.first_channels != 0
                                 ? "; a concatenation has the channels of both"
                                 : "";
    expect(answer == layer.macs(),
           "answers.toml: {} takes {:.0f} multiply-accumulates, which is {:.4g} times what it "
           "should be{}",
           layer.name, answer, answer / layer.macs(), hint);
    layers += layer.macs();
  }
  const double total = answers.number("macs", "total");
  expect(total == plan.macs(), "answers.toml: total is {:.0f}, expected {}{}", total, plan.macs(),
         total == layers ? "; the classifier is missing" : "");
  return fmt::format("{} in all", plan.macs());
}

std::string check_twins(const std::string& folder) {
  const SearchSpace space = SearchSpace::preset("tiny");
  std::vector<Architecture> twins;
  for (const char* file : {"twin_a.json", "twin_b.json"}) {
    read_answer(folder, file);
    twins.push_back(Architecture::from_file(folder + "/" + file));
    expect(space.contains(twins.back()), "{}: not an architecture of the space tiny", file);
  }
  expect(!(twins[0] == twins[1]),
         "twin_a.json and twin_b.json are the same architecture; change one of them so that "
         "the faulty code does not notice");
  const std::vector<float> a = lab::faulty_encode(space, twins[0]), b = lab::faulty_encode(space, twins[1]);
  for (std::size_t i = 0; i < a.size(); ++i) {
    expect(a[i] == b[i], "the twins' faulty codes differ, in entry {}: {} and {}", i, a[i], b[i]);
  }
  return fmt::format("{} and {} have one code", twins[0].id(), twins[1].id());
}

// Where two architectures differ: "/stages/2/width is 48 in one and 64 in the other; ...".
std::string differences(const Architecture& a, const Architecture& b) {
  const nlohmann::json one = nlohmann::json::parse(a.to_json()), other = nlohmann::json::parse(b.to_json());
  std::string text;
  for (const nlohmann::json& change : nlohmann::json::diff(one, other)) {
    const nlohmann::json::json_pointer place(change.at("path").get<std::string>());
    const auto value = [&](const nlohmann::json& whole) {
      return whole.contains(place) ? whole.at(place).dump() : "not there";
    };
    text += fmt::format("{}{} is {} in one and {} in the other", text.empty() ? "" : "; ", place.to_string(),
                        value(one), value(other));
  }
  return text;
}

// Codes of one length, equal exactly where architectures are.
void expect_telling(const std::string& name, const SearchSpace& space) {
  std::map<std::vector<float>, Architecture> seen;
  Random random(4, Purpose::architecture);
  const std::size_t length = lab::encode(space, space.smallest()).size();
  bool repaired = false;
  const auto look_at = [&](const Architecture& architecture) {
    const std::vector<float> code = lab::encode(space, architecture);
    expect(code.size() == length,
           "encode, space {}: a code has {} numbers, another one {}; expected one length", name, code.size(),
           length);
    repaired = repaired || code != lab::faulty_encode(space, architecture);
    const auto [at, fresh] = seen.try_emplace(code, architecture);
    if (at->second == architecture) return;
    // Where they differ would answer task 4.
    expect(repaired, "encode, space {}: two architectures have one code; so far it is faulty_encode", name);
    wrong("encode, space {}: two architectures have one code: {}", name,
          differences(at->second, architecture));
  };
  for (int i = 0; i < 1500; ++i) {
    const Architecture architecture = space.sample(random);
    look_at(architecture);
    look_at(space.mutate(architecture, random));
    expect(lab::encode(space, architecture) == lab::encode(space, architecture),
           "encode, space {}: the same architecture has two codes", name);
  }
}

std::string check_encoding(const std::string& folder) {
  const SearchSpace tiny = SearchSpace::preset("tiny");
  expect_telling("tiny", tiny);
  expect_telling("cifar", SearchSpace::preset("cifar"));
  expect_telling("of space.toml", own_space(folder));
  Random random(5, Purpose::architecture);
  for (int i = 0; i < 200; ++i) {
    Architecture architecture = tiny.sample(random), other = architecture;
    nas::Block& last = other.stages[1].blocks.back();
    if (other.stages[1].blocks.size() == 1) continue;
    last.residual = !last.residual;
    const std::vector<float> a = lab::encode(tiny, architecture), b = lab::encode(tiny, other);
    int changed = 0;
    for (std::size_t j = 0; j < a.size(); ++j) changed += a[j] != b[j];
    expect(changed <= 4,
           "encode: one residual changes {} of {} numbers, expected a few; what is near must stay near, "
           "or nothing can be learnt from the code",
           changed, a.size());
  }
  return fmt::format("{} numbers in the space tiny", lab::encode(tiny, tiny.smallest()).size());
}

}  // namespace
}  // namespace adwp::course

int main(int argc, char** argv) {
  using namespace adwp::course;
  const std::string folder = argc > 1 ? argv[1] : "course/lab4";
  Report report("lab 4");
  report.task("a space of your own", [&] { return check_space(folder); });
  report.task("its size", [&] { return check_size(folder); });
  report.task("multiply-accumulates by hand", [&] { return check_macs(folder); });
  report.task("two architectures with one code", [&] { return check_twins(folder); });
  report.task("an encoding that tells all architectures apart", [&] { return check_encoding(folder); });
  return report.end();
}
