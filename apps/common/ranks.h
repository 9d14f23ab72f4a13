// A run on several ranks (framework/parallel/group.h): errors become one line, wherever they happen, and all
// ranks end with one exit code.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/error.h"
#include "framework/parallel/group.h"
#include "framework/parallel/jobs.h"

namespace adwp::apps {

// As run_main(), for a program that `mpirun` may start on several ranks. Only rank 0 writes to standard
// output.
int run_ranks(int argc, char** argv, const std::function<void(int, char**, parallel::Group&)>& body);

// Ends a rank without a word: rank 0 has said it all.
struct SilentEnd {
  int code;
};

// Collective: does `work` on every rank. If it throws on one, no rank goes on: rank 0 throws what happened,
// naming rank and host unless it is the same on all ranks; the others throw SilentEnd.
void together(parallel::Group& group, const std::function<void()>& work);

// Collective: throws a usage Error that names the first fact that differs from rank 0's, with rank and host.
void require_same_facts(parallel::Group& group,
                        const std::vector<std::pair<std::string, std::string>>& facts);

// How many ranks of the group are on this rank's host, and which of them this one is.
struct Neighbours {
  int count = 1, number = 0;
};
Neighbours neighbours(parallel::Group& group);

// For work that all ranks do in step. Where it throws on one rank alone, that rank says so, by name, and ends
// all ranks; an interrupted rank is not alone.
void or_end_all(parallel::Group& group, const std::function<void()>& work);

// Rank 0's part of a run, after which the other ranks end with the same exit code.
void lead(parallel::Jobs& jobs, const std::function<void()>& work);
// The other ranks' part: does jobs until rank 0 ends the run.
void serve(parallel::Worker& worker, const parallel::Worker::Hooks& hooks);

}  // namespace adwp::apps
