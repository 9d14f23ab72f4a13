#include "apps/train/recipe.h"

#include <charconv>
#include <ranges>
#include <string_view>

#include "framework/core/error.h"

namespace adwp::apps {
namespace {

constexpr std::int64_t smallest_image = 4;  // height and width

void declare_regularisation(Settings& settings, RecipeOptions& o) {
  settings.group("Regularisation");
  settings.real("cutout", o.cutout,
                "Side of a square of each image that is set to the mean, as a fraction of "
                "its side; 0: none, unless --augment says so (0.5 then)",
                0, 1);
  settings.flag("trivial-augment", o.trivial_augment,
                "Change each image by one random operation of random strength, as TrivialAugment (wide): "
                "move, turn, shear, colours, contrast, sharpness, fewer bits, ...");
  settings.real("erasing", o.erasing, "Probability that a box of 2 to 33 % of an image is erased", 0, 1);
  settings.real("mixup", o.mixup,
                "Mix images two by two, with shares from Beta(X, X), and their labels likewise; 0: do not", 0,
                2);
  settings.real(
      "cutmix", o.cutmix,
      "Put a box of one image into another, its area from Beta(X, X); 0: do not. With mixup as well, a "
      "coin decides for each image",
      0, 2);
  settings.real("mix-probability", o.mix_probability, "Probability that an image is mixed", 0, 1);
  settings.real("label-smoothing", o.label_smoothing, "Probability that is spread over all classes", 0, 0.9);
  settings.real("drop-path", o.drop_path,
                "Probability that an image skips the last residual block; those before it linearly less", 0,
                0.9);
  settings.real("dropout", o.dropout, "Probability that a feature is hidden from the classifier", 0, 0.9);
  settings.real(
      "auxiliary", o.auxiliary,
      "Weight of the loss of a second classifier at two thirds of the depth, which only training has "
      "(0.4 is usual); 0: none",
      0, 10);
  settings.real("teacher-weight", o.teacher_weight, "Of the loss by the teacher; the labels have the rest", 0,
                1);
  settings.real("temperature", o.temperature,
                "By which logits are divided before the pupil is held to the teacher", 0.1, 100);

  settings.group("Test");
  settings.flag("test-flip", o.test_flip,
                "Also measure the test accuracy of logits that are averaged over each image and its mirror; "
                "it stands beside the accuracy without, under test_flip");
}

}  // namespace

void declare(Settings& settings, RecipeOptions& o, std::int64_t& batch) {
  settings.recipe(
      "recipe", o.recipe,
      "Values for all options below, of which each given by hand wins over it; a FILE is TOML, as "
      "apps/train/recipes/*.toml",
      recipe_files());
  settings.integer("epochs", o.epochs, "Epochs", 1, 100'000);
  settings.integer("batch", batch, "Images per step", 1, 65536);
  settings.choice("optimizer", o.optimizer, "SGD with Nesterov momentum, or AdamW (betas 0.9 and 0.999)",
                  {"sgd", "adamw"});
  settings.real("lr", o.lr, "Peak learning rate", 1e-6, 10);
  settings.real("momentum", o.momentum, "Of SGD", 0, 0.999);
  settings.real("weight-decay", o.weight_decay,
                "Decoupled: a step shrinks weights by learning rate times this; not norms and biases", 0, 1);
  settings.real("clip", o.clip, "Most that the gradient's Euclidean norm may be; 0: no bound", 0, 1e6);
  settings.real("warmup-epochs", o.warmup_epochs,
                "In which the learning rate rises from 0; a twentieth of all at most", 0, 1000);
  settings.integer("cycles", o.cycles, "Cosines of the learning rate, one after the other, all equally long",
                   1, 1000);
  settings.real(
      "ema", o.ema,
      "Decay per step of a moving average of the weights, which is then evaluated and exported; the "
      "raw weights stay beside it. 0: none",
      0, 0.99999);

  settings.text("progressive", o.progressive, "SIZE:UNTIL,...",
                "Smaller images at first: 16:0.4,24:0.8 trains on 16 px for the first 40 % of the epochs, on "
                "24 px up to 80 %, then on the images as they are. Evaluations never use smaller images");
  declare_regularisation(settings, o);
}

nas::NetworkTrainingOptions RecipeOptions::training() const {
  const auto f = [](double value) { return static_cast<float>(value); };
  return {.epochs = epochs,
          .optimizer = optimizer == "adamw" ? nas::OptimizerKind::adamw : nas::OptimizerKind::sgd,
          .learning_rate = f(lr),
          .momentum = f(momentum),
          .weight_decay = f(weight_decay),
          .clip = f(clip),
          .warmup_epochs = warmup_epochs,
          .cycles = cycles,
          .average = f(ema),
          .label_smoothing = f(label_smoothing),
          .trivial_augment = trivial_augment,
          .erasing = f(erasing),
          .mixing = {f(mixup), f(cutmix), f(mix_probability)},
          .drop_path = f(drop_path),
          .dropout = f(dropout),
          .auxiliary = f(auxiliary),
          .teaching = f(teacher_weight),
          .temperature = f(temperature)};
}

std::vector<nas::SizeStage> RecipeOptions::stages(std::optional<std::int64_t> image_size) const {
  std::vector<nas::SizeStage> stages;
  for (const auto part : std::views::split(std::string_view(progressive), ',')) {
    const std::string text(part.begin(), part.end());
    nas::SizeStage stage;
    const char* end = text.data() + text.size();
    const auto size = std::from_chars(text.data(), end, stage.size);
    bool good = size.ec == std::errc() && size.ptr != end && *size.ptr == ':';
    if (good) {
      const auto until = std::from_chars(size.ptr + 1, end, stage.until);
      good = until.ec == std::errc() && until.ptr == end && stage.until > 0 && stage.until <= 1;
    }
    const nas::SizeStage before = stages.empty() ? nas::SizeStage{smallest_image - 1, 0} : stages.back();
    const bool smaller = !image_size || stage.size < *image_size;
    if (!good || stage.size <= before.size || !smaller || stage.until <= before.until) {
      fail_usage(
          "train",
          "bad --progressive, got \"{}\" at \"{}\", expected SIZE:UNTIL,... with sizes that rise, from {} "
          "or more to less than the data's{}, and parts of the epochs that rise, to 1 at most",
          progressive, text, smallest_image, image_size ? fmt::format(" {} px", *image_size) : "");
    }
    stages.push_back(stage);
  }
  return stages;
}

}  // namespace adwp::apps
