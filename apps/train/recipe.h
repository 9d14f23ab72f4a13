// The recipe of a training: how weights begin to fit images. Each part is an option of `train`; a recipe is a
// TOML file of their values (recipes/), and what is given by hand wins over it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/settings.h"
#include "nas/training/network_trainer.h"

namespace adwp::apps {

// The recipes that the program holds, by the names of their files (made from them: recipe_files.cpp).
const std::vector<Settings::Recipe>& recipe_files();

struct RecipeOptions {
  std::string recipe = "standard";
  std::int64_t epochs = 20;

  std::string optimizer = "sgd";
  double lr = 0.1, momentum = 0.9, weight_decay = 5e-3, clip = 5, warmup_epochs = 0.5;
  std::int64_t cycles = 1;
  double ema = 0;
  std::string progressive;  // SIZE:UNTIL,...

  bool trivial_augment = false;
  double cutout = 0, erasing = 0, mixup = 0, cutmix = 0, mix_probability = 1;
  double label_smoothing = 0, drop_path = 0, dropout = 0, auxiliary = 0;
  bool test_flip = false;
  double teacher_weight = 0.5, temperature = 4;

  // All that they say of a training; what the data decide (augmentation, smaller images) is left out.
  nas::NetworkTrainingOptions training() const;
  // What `progressive` says for images of that size, or of any; throws a usage Error where it makes no sense.
  std::vector<nas::SizeStage> stages(std::optional<std::int64_t> image_size = {}) const;
};

// Declares them, and `batch`, which is a part as well.
void declare(Settings& settings, RecipeOptions& options, std::int64_t& batch);

}  // namespace adwp::apps
