// Jobs that rank 0 gives out and all ranks do.
//
// A job has a number, and what it comes to depends on nothing else: never on the rank that does it. Rank 0
// takes the results in the order of numbers. Hence the same bits on any number of ranks.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/error.h"
#include "framework/parallel/group.h"

namespace adwp::parallel {

// What a rank failed with, as rank 0 throws it: names rank and host.
class RankFailed : public Error {
 public:
  RankFailed(int code, const std::string& where, const std::string& what)
      : Error(static_cast<Fault>(code), where, what) {}
};

// Rank 0's side.
class Jobs {
 public:
  explicit Jobs(Group& group);

  struct Batch {
    std::vector<double> costs;  // of each job, in one unit: the costly ones are begun first
    int ahead = 0;              // jobs that another rank may hold besides the one it does: for short ones
    std::function<std::string(std::size_t job)> work;  // what another rank is sent
    std::function<std::string(std::size_t job)> here;  // does the job on this rank; must call poll()
    std::function<void(std::size_t job, const std::string&)> note = {};  // a rank that does it sent this
    // In the order of numbers, and never from within here() or another done(); may call poll().
    std::function<void(std::size_t job, const std::string& result)> done;
    // A result has come for which done() has to wait.
    std::function<void(std::size_t job, const std::string& result)> early = {};
    std::function<std::optional<std::string>(std::size_t job)> known =
        {};  // the result, if there is one already
  };
  // Does all jobs, on all ranks. Rank 0 begins with the costliest; alone it does all in their order.
  // `waiting` is called while only others work.
  void run(const Batch& batch, const std::function<void()>& waiting);

  // Takes what other ranks have sent, and gives those that are done their next job. Throws RankFailed.
  void poll();

  // Every other rank calls Worker::Hooks::told with this.
  void tell_all(const std::string& what);

  // Ends the other ranks, with this exit code.
  void stop(int code);

  // What was done when, in seconds since this object was made.
  struct Spell {
    int rank;
    double begin, end;
  };
  const std::vector<Spell>& spells() const { return spells_; }
  double seconds() const;
  const std::vector<std::string>& hosts() const { return hosts_; }  // by rank

 private:
  void take(const Message& message);
  void finish(std::size_t job, std::string result, const Spell& spell);
  void hand_on();
  void give(int rank, int most);  // until it holds so many
  void queue(const Batch& batch);
  std::size_t next();

  Group& group_;
  std::vector<std::string> hosts_;
  double start_;
  const Batch* batch_ = nullptr;
  std::deque<std::size_t> open_;                // costly first
  std::map<std::size_t, std::string> results_;  // that wait for those of lower numbers
  bool engaged_ = false;                        // rank 0 is within here() or done()
  std::size_t taken_ = 0;                       // results, in order
  std::vector<int> held_;                       // jobs by rank
  std::vector<Spell> spells_;
};

// The jobs of `first`, then those of `second`, with numbers that go on: their costs must be of one unit. Both
// must live as long.
Jobs::Batch in_turn(const Jobs::Batch& first, const Jobs::Batch& second);

// The other ranks' side.
class Worker {
 public:
  explicit Worker(Group& group);

  struct Hooks {
    std::function<std::string(const std::string& work)> work;  // does a job; must call poll()
    std::function<void(const std::string& what)> told;
    std::function<void()> waiting;  // called while there is no work; may throw to leave the run
  };
  // Does jobs until rank 0 ends the run; returns the exit code that it gave.
  int serve(const Hooks& hooks);

  // From within a job. Sends something to rank 0 before the result.
  void note(const std::string& bytes);
  // From within a job, between batches: leaves it when rank 0 has ended the run.
  void poll();

  // Tells rank 0 why this rank cannot go on, and waits for the end of the run; returns the exit code.
  int fail(int code, const std::string& what);

 private:
  struct Stopped {
    int code;
  };
  void take(Message message);
  int leave(int code);

  Group& group_;
  std::deque<std::string> work_;
  std::string job_;  // number of the job at hand, as bytes
};

}  // namespace adwp::parallel
