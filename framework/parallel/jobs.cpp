#include "framework/parallel/jobs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

namespace adwp::parallel {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto patience = 8s;  // that a rank has for its farewell, before all are ended

// A message is one letter, then what the letter says.
enum Kind : char {
  job = 'j',       // to a worker: number, work
  told = 't',      // to a worker: what
  stop_now = 's',  // to a worker: exit code
  noted = 'n',     // to rank 0: number, bytes
  result = 'r',    // to rank 0: number, seconds, bytes
  failed = 'f',    // to rank 0: exit code, reason
  farewell = 'b'   // to rank 0
};

template <typename T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
T take_off(std::string& bytes) {
  T value{};
  require(bytes.size() >= sizeof value, "ranks", "a message is too short");
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.erase(0, sizeof value);
  return value;
}

double now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

}  // namespace

Jobs::Jobs(Group& group)
    : group_(group), hosts_(group.gather(group.host())), start_(now()), held_(group.size()) {}

double Jobs::seconds() const { return now() - start_; }

std::size_t Jobs::next() {
  const std::size_t number = open_.front();
  open_.pop_front();
  return number;
}

void Jobs::give(int rank, int most) {
  while (!open_.empty() && held_[rank] < most) {
    const std::size_t number = next();
    group_.send(rank, char(job) + bytes_of(number) + batch_->work(number));
    ++held_[rank];
  }
}

void Jobs::queue(const Batch& batch) {
  batch_ = &batch;
  taken_ = 0;
  for (std::size_t number = 0; number < batch.costs.size(); ++number) {
    auto known = batch.known ? batch.known(number) : std::nullopt;
    if (known) {
      results_.emplace(number, std::move(*known));
    } else {
      open_.push_back(number);
    }
  }
  if (group_.alone()) return;
  std::stable_sort(open_.begin(), open_.end(),
                   [&](std::size_t a, std::size_t b) { return batch.costs[a] > batch.costs[b]; });
}

void Jobs::run(const Batch& batch, const std::function<void()>& waiting) {
  queue(batch);
  std::optional<std::size_t> mine;  // what rank 0 does next: the costliest before others get theirs
  if (!open_.empty()) mine = next();
  for (int most = 1; most <= 1 + batch.ahead; ++most) {  // each has one before any has two
    for (int rank = 1; rank < group_.size(); ++rank) give(rank, most);
  }
  hand_on();
  while (taken_ < batch.costs.size()) {
    if (!mine && !open_.empty()) mine = next();
    if (mine) {
      const double from = seconds();
      engaged_ = true;
      std::string outcome = batch.here(*mine);
      engaged_ = false;
      finish(*mine, std::move(outcome), {0, from, seconds()});
      mine.reset();
      poll();
    } else {
      take(group_.wait(waiting));
    }
    hand_on();
  }
  batch_ = nullptr;
}

void Jobs::poll() {
  while (const auto message = group_.receive()) take(*message);
}

void Jobs::take(const Message& message) {
  std::string bytes = message.bytes.substr(1);
  const int from = message.from;
  switch (message.bytes.at(0)) {
    case noted: {
      const auto number = take_off<std::size_t>(bytes);
      if (batch_->note) batch_->note(number, bytes);
      break;
    }
    case result: {
      const auto number = take_off<std::size_t>(bytes);
      const auto took = take_off<double>(bytes);
      --held_[from];
      give(from, 1 + batch_->ahead);
      finish(number, std::move(bytes), {from, seconds() - took, seconds()});
      break;
    }
    case failed: {
      const auto code = take_off<std::int32_t>(bytes);
      throw RankFailed(code, fmt::format("rank {} on {}", from, hosts_[from]), bytes);
    }
    default:
      break;
  }
}

void Jobs::finish(std::size_t number, std::string outcome, const Spell& spell) {
  spells_.push_back(spell);
  const auto kept = results_.emplace(number, std::move(outcome)).first;
  if (batch_->early && (engaged_ || number != taken_)) batch_->early(number, kept->second);
}

// Results, as far as they have come in order.
void Jobs::hand_on() {
  engaged_ = true;
  for (auto next = results_.find(taken_); next != results_.end(); next = results_.find(taken_)) {
    batch_->done(taken_, next->second);
    results_.erase(next);
    ++taken_;
  }
  engaged_ = false;
}

void Jobs::tell_all(const std::string& what) {
  for (int rank = 1; rank < group_.size(); ++rank) group_.send(rank, char(told) + what);
}

void Jobs::stop(int code) {
  for (int rank = 1; rank < group_.size(); ++rank)
    group_.send(rank, char(stop_now) + bytes_of<std::int32_t>(code));
  const auto end = Clock::now() + patience;
  for (int left = 1; left < group_.size();) {
    const Message message = group_.wait([&] {
      if (Clock::now() > end) group_.abort(code);
    });
    left += message.bytes.at(0) == farewell;
  }
}

Jobs::Batch in_turn(const Jobs::Batch& first, const Jobs::Batch& second) {
  const std::size_t many = first.costs.size();
  const auto of = [&first, &second, many](std::size_t job) -> std::pair<const Jobs::Batch&, std::size_t> {
    if (job < many) return {first, job};
    return {second, job - many};
  };
  Jobs::Batch all;
  all.costs = first.costs;
  all.costs.insert(all.costs.end(), second.costs.begin(), second.costs.end());
  all.ahead = std::min(first.ahead, second.ahead);
  all.work = [of](std::size_t job) {
    const auto [batch, number] = of(job);
    return batch.work(number);
  };
  all.here = [of](std::size_t job) {
    const auto [batch, number] = of(job);
    return batch.here(number);
  };
  all.done = [of](std::size_t job, const std::string& result) {
    const auto [batch, number] = of(job);
    batch.done(number, result);
  };
  all.note = [of](std::size_t job, const std::string& bytes) {
    const auto [batch, number] = of(job);
    if (batch.note) batch.note(number, bytes);
  };
  all.early = [of](std::size_t job, const std::string& result) {
    const auto [batch, number] = of(job);
    if (batch.early) batch.early(number, result);
  };
  all.known = [of](std::size_t job) {
    const auto [batch, number] = of(job);
    return batch.known ? batch.known(number) : std::nullopt;
  };
  return all;
}

Worker::Worker(Group& group) : group_(group) { group.gather(group.host()); }

void Worker::take(Message message) {
  std::string bytes = message.bytes.substr(1);
  if (message.bytes.at(0) == stop_now) throw Stopped{take_off<std::int32_t>(bytes)};
  work_.push_back(std::move(message.bytes));
}

void Worker::poll() {
  while (auto message = group_.receive()) take(std::move(*message));
}

void Worker::note(const std::string& bytes) { group_.send(0, char(noted) + job_ + bytes); }

int Worker::leave(int code) {
  group_.send(0, std::string(1, farewell));
  return code;
}

int Worker::serve(const Hooks& hooks) {
  try {
    while (true) {
      while (work_.empty()) take(group_.wait(hooks.waiting));
      std::string work = std::move(work_.front());
      work_.pop_front();
      const char kind = work.at(0);
      work.erase(0, 1);
      if (kind == told) {
        hooks.told(work);
        continue;
      }
      job_ = bytes_of(take_off<std::size_t>(work));
      const double begin = now();
      const std::string outcome = hooks.work(work);
      group_.send(0, char(result) + job_ + bytes_of(now() - begin) + outcome);
    }
  } catch (const Stopped& stopped) {
    return leave(stopped.code);
  }
}

int Worker::fail(int code, const std::string& what) {
  group_.send(0, char(failed) + bytes_of<std::int32_t>(code) + what);
  const auto end = Clock::now() + patience;
  try {
    while (true) {
      take(group_.wait([&] {
        if (Clock::now() > end) group_.abort(code);
      }));
    }
  } catch (const Stopped& stopped) {
    return leave(stopped.code);
  }
}

}  // namespace adwp::parallel
