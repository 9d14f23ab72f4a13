// The settings of `search`, and what they mean for its parts.
#pragma once

#include <cstdint>
#include <string>

#include "apps/common/run.h"
#include "nas/space/search_space.h"
#include "nas/training/hypernetwork_trainer.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

struct SearchOptions : RunOptions {
  SearchOptions() { validation = 0.1; }

  std::string space = "tiny";

  std::string weights = "predicted";
  std::int64_t hyper_epochs = 10;
  int hyper_width = 128, architectures_per_step = 1;
  double hyper_lr = 3e-3;
  bool fixed_norm = false, layer_code_only = false;

  int rank_sample = 10, rank_epochs = 2;

  std::string strategy = "evolution";
  int population = 52, generations = 9;
  std::int64_t max_params = 0, max_macs = 0;
  bool latency = false;
  double max_latency_us = 0;
  std::string latencies;

  int finalists = 4, finalist_epochs = 3, halvings = 1;
  double finalist_lr = 0.1;

  bool latency_counts() const {
    return latency || max_latency_us > 0 || !latencies.empty();
  }  // as an objective
  nas::Limits limits() const;
  nas::HyperTrainingOptions hyper_training(const nas::Task& task) const;
  // Of the rank sample and the finalists.
  nas::NetworkTrainingOptions network_training(const nas::Task& task, int epochs, std::uint64_t seed) const;
};

// Declares every option with its group, help and range.
void declare(Settings& settings, SearchOptions& options);

}  // namespace adwp::apps
