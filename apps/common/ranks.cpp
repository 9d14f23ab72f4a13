#include "apps/common/ranks.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "apps/common/main.h"
#include "framework/version.h"

namespace adwp::apps {
namespace {

std::string rank_name(int rank, const std::string& host) { return fmt::format("rank {} on {}", rank, host); }

}  // namespace

int run_ranks(int argc, char** argv, const std::function<void(int, char**, parallel::Group&)>& body) {
  int silent = 0;
  // Left (which waits for all ranks) when rank 0 has said what failed: mpirun ends a rank that is left
  // behind.
  std::unique_ptr<parallel::Group> group;
  const int code = run_main(argc, argv, [&](int count, char** arguments) {
    group = parallel::open_group();
    if (group->rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) std::fclose(stdout);
    try {
      require_same_facts(*group, {{"version", version}});
      body(count, arguments, *group);
    } catch (const SilentEnd& end) {
      silent = end.code;
    }
  });
  return code != 0 ? code : silent;
}

void together(parallel::Group& group, const std::function<void()>& work) {
  if (group.alone()) return work();
  const Ending mine = ending_of(work);
  const std::vector<std::string> codes = group.gather(std::to_string(mine.code));
  const std::vector<std::string> reasons = group.gather(mine.reason);
  const std::vector<std::string> hosts = group.gather(group.host());
  const auto bad = std::find_if(codes.begin(), codes.end(), [](const std::string& c) { return c != "0"; });
  if (bad == codes.end()) return;
  const int rank = bad - codes.begin(), code = std::stoi(*bad);
  if (group.rank() > 0) throw SilentEnd{code};
  if (code == interrupted_status) throw Interrupted(reasons[rank]);
  const bool everywhere =
      std::all_of(reasons.begin(), reasons.end(), [&](const std::string& r) { return r == reasons.front(); });
  if (everywhere || rank == 0) throw Error::of_message(static_cast<Fault>(code), reasons[rank]);
  throw Error(static_cast<Fault>(code), rank_name(rank, hosts[rank]), reasons[rank]);
}

void require_same_facts(parallel::Group& group,
                        const std::vector<std::pair<std::string, std::string>>& facts) {
  if (group.alone()) return;
  std::string mine;
  for (const auto& [name, value] : facts) mine += name + "\n" + one_line(value) + "\n";
  const std::vector<std::string> all = group.gather(mine), hosts = group.gather(group.host());
  together(group, [&] {
    if (group.rank() > 0) return;
    for (int rank = 1; rank < group.size(); ++rank) {
      std::string_view other = all[rank];
      for (const auto& [name, value] : facts) {
        const std::size_t key = other.find('\n'), end = other.find('\n', key + 1);
        const std::string theirs(other.substr(key + 1, end - key - 1));
        if (theirs != one_line(value)) {
          fail_usage(rank_name(rank, hosts[rank]),
                     "{} differs, got {}, expected {}, as rank 0 on {} has it; ranks must agree to come to "
                     "the same bits",
                     name, theirs, one_line(value), hosts[0]);
        }
        other.remove_prefix(end + 1);
      }
    }
  });
}

Neighbours neighbours(parallel::Group& group) {
  const std::vector<std::string> hosts = group.gather(group.host());
  const std::string& mine = hosts[group.rank()];
  return {static_cast<int>(std::count(hosts.begin(), hosts.end(), mine)),
          static_cast<int>(std::count(hosts.begin(), hosts.begin() + group.rank(), mine))};
}

void or_end_all(parallel::Group& group, const std::function<void()>& work) {
  if (group.alone()) return work();
  const Ending mine = ending_of(work);
  if (mine.code == 0) return;
  if (mine.code == interrupted_status && group.rank() == 0) throw Interrupted(mine.reason);
  if (group.rank() > 0)
    std::this_thread::sleep_for(std::chrono::seconds(2));  // rank 0 may have the same to say
  const std::string where =
      group.rank() > 0 ? fmt::format("[{}] ", rank_name(group.rank(), group.host())) : "";
  fmt::print(stderr, "error: {}{}\n", where, mine.reason);
  std::fflush(nullptr);
  group.abort(mine.code);
}

void lead(parallel::Jobs& jobs, const std::function<void()>& work) {
  int code = 1;
  try {
    work();
  } catch (const parallel::RankFailed& failed) {
    code = static_cast<int>(failed.fault());
    jobs.stop(code);
    if (code == interrupted_status) stop_if_interrupted(true);
    throw;
  } catch (...) {
    code = ending_of([] { throw; }).code;
    jobs.stop(code);
    throw;
  }
  jobs.stop(0);
}

void serve(parallel::Worker& worker, const parallel::Worker::Hooks& hooks) {
  int code = 0;
  const Ending mine = ending_of([&] { code = worker.serve(hooks); });
  if (mine.code != 0) code = worker.fail(mine.code, mine.reason);
  if (code != 0) throw SilentEnd{code};
}

}  // namespace adwp::apps
