// One process alone. What several do: tests/system/ranks.py.
#include "framework/parallel/group.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <deque>

#include "framework/parallel/jobs.h"

namespace adwp::parallel {
namespace {

TEST(Group, AloneSumsInTheOrderOfNumbers) {
  Group group;
  EXPECT_TRUE(group.alone());
  // In another order, or in double, the sums of the first column would differ.
  const std::vector<std::vector<float>> parts{{1e8f, 1}, {-1e8f, 2}, {3.5f, 4}, {1e8f, 8}};
  const std::vector<float> sum = group.sum(parts);
  EXPECT_EQ(sum, (std::vector<float>{((1e8f - 1e8f) + 3.5f) + 1e8f, 15}));
  EXPECT_THROW(group.sum({}), Error);
  EXPECT_THROW(group.sum({{1}, {1, 2}}), Error);
}

TEST(Group, AloneGathersItself) {
  Group group;
  EXPECT_EQ(group.gather("bytes"), std::vector<std::string>{"bytes"});
  EXPECT_EQ(group.broadcast("bytes"), "bytes");
  EXPECT_FALSE(group.receive().has_value());
  EXPECT_THROW(group.send(1, "bytes"), Error);
}

TEST(Jobs, AloneAreDoneInTheirOrder) {
  Group group;
  Jobs jobs(group);
  std::vector<std::size_t> begun;
  std::vector<std::string> results;
  const Jobs::Batch batch{.costs = {1, 3, 2},
                          .work = [](std::size_t) { return std::string(); },
                          .here =
                              [&](std::size_t job) {
                                begun.push_back(job);
                                return std::to_string(job);
                              },
                          .done = [&](std::size_t, const std::string& result) { results.push_back(result); }};
  jobs.run(batch, [] {});
  EXPECT_EQ(begun, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(results, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(jobs.spells().size(), 3u);
}

TEST(Jobs, OfTwoBatchesGoOnWithTheirNumbers) {
  Group group;
  Jobs jobs(group);
  std::string order;
  const auto batch = [&](char name, std::vector<double> costs) {
    return Jobs::Batch{
        .costs = std::move(costs),
        .work = [](std::size_t) { return std::string(); },
        .here = [&order, name](std::size_t job) { return fmt::format("{}{}", name, job); },
        .done = [&order](std::size_t job,
                         const std::string& result) { order += fmt::format("{}={} ", job, result); }};
  };
  const Jobs::Batch first = batch('a', {1, 5}), second = batch('b', {9}), none = batch('c', {});
  EXPECT_EQ(in_turn(first, second).costs, (std::vector<double>{1, 5, 9}));
  jobs.run(in_turn(first, second), [] {});
  EXPECT_EQ(order, "0=a0 1=a1 0=b0 ");
  order.clear();
  jobs.run(in_turn(none, second), [] {});
  jobs.run(in_turn(second, none), [] {});
  EXPECT_EQ(order, "0=b0 0=b0 ");
}

// done() may poll: a result that comes meanwhile waits for its turn, and is given to early().
class LoopGroup : public Group {  // rank 0 of 2, of which rank 1 answers at once
 public:
  int size() const override { return 2; }
  std::vector<std::string> gather(const std::string& mine) override { return {mine, mine}; }
  void send(int, std::string bytes) override {
    if (bytes[0] != 'j') return;
    const double took = 0;
    answers_.push_back("r" + bytes.substr(1, sizeof(std::size_t)) +
                       std::string(reinterpret_cast<const char*>(&took), sizeof took) + "there");
  }
  std::optional<Message> receive() override {
    if (answers_.empty()) return std::nullopt;
    Message message{1, answers_.front()};
    answers_.pop_front();
    return message;
  }

 private:
  std::deque<std::string> answers_;
};

TEST(Jobs, OfOthersAreTakenInOrderAndNeverWithinAnotherJob) {
  LoopGroup group;
  Jobs jobs(group);
  std::string order, kept;
  bool within = false;
  const Jobs::Batch batch{.costs = {1, 4, 3, 2},
                          .work = [](std::size_t) { return std::string(); },
                          .here =
                              [&](std::size_t job) {
                                within = true;
                                jobs.poll();
                                jobs.poll();
                                within = false;
                                return "here" + std::to_string(job);
                              },
                          .done =
                              [&](std::size_t job, const std::string& result) {
                                EXPECT_FALSE(within);
                                within = true;
                                jobs.poll();
                                within = false;
                                order += fmt::format("{}={} ", job, result);
                              },
                          .early = [&](std::size_t job, const std::string&) { kept += std::to_string(job); }};
  jobs.run(batch, [] {});
  // Rank 0 begins with the costliest, 1; the others are done by rank 1 meanwhile.
  EXPECT_EQ(order, "0=there 1=here1 2=there 3=there ");
  EXPECT_EQ(kept, "2301");
}

}  // namespace
}  // namespace adwp::parallel
