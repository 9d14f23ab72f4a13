// What the parts of the ranking study share: options, images, and the networks that it ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/command_line.h"
#include "bench/ranking/rows.h"
#include "data/loader.h"
#include "nas/evaluation/evaluator.h"
#include "nas/space/search_space.h"

namespace adwp::bench {

struct StudyOptions : DeviceOptions {
  std::string data, space;
  std::string networks, truth, scores, rows;  // files of rows (rows.h); `rows` is written
  std::int64_t batch = 64;
  double validation = 1.0 / 3;  // of the training images, for scoring
  // Part `networks`.
  std::int64_t uniform = 96, band = 48;
  // Part `truth`.
  std::vector<std::int64_t> epochs{16}, seeds{1, 2};
  std::int64_t part = 0, parts = 1;
  double lr = 0.1;
  // Part `scores`.
  std::string weights = "residual";
  std::int64_t hyper_epochs = 60, score_every = 20;
  std::vector<std::int64_t> images{5000, 2000, 1000, 500, 250};  // that a network is scored on
  std::uint64_t seed = 0;
  int hyper_width = 128;
  double hyper_lr = 3e-3, growth = 0.5, shared_start = 0.3, change_start = 1;
  bool eager = false;  // moments of what a step does not use decay
};

// Images and task. The split is the same for all parts: networks train on one part of the training images,
// scores come from the other, and the truth from the test images, which no score has seen.
class Study {
 public:
  static constexpr std::int64_t evaluation_batch = 500;

  Study(const StudyOptions& options, Backend& backend, bool with_test);

  const StudyOptions& options;
  Backend& backend;
  Arena arena;
  nas::SearchSpace space;
  data::TrainingData data;
  nas::Task task;
  data::DeviceImages train, validation, test;  // `test` only where it is asked for

  Augmentation augmentation() const { return {.shift = task.image_size / 8, .flip = true}; }
  // The networks of the file, in its order; a row's number is its place.
  std::vector<nas::NetworkPlan> networks() const;
};

// Draws the networks: a uniform sample, and one whose multiply-accumulates lie near the space's median, where
// size says nothing. One row each.
void draw_networks(const Study& study);
// Trains every network of this part for every number of epochs and every seed. One row each.
void train_networks(Study& study);
// Trains one weight source, and scores all networks with it every `score_every` epochs. One row each time.
void score_networks(Study& study);
// Writes what ranks the trained networks: one row per ranking. It is made of the rows of the other parts.
void rank_networks(const StudyOptions& options);

}  // namespace adwp::bench
