#include "apps/train/recipe.h"

namespace adwp::apps {

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

  settings.group("Regularisation");
  settings.real("cutout", o.cutout,
                "Side of a square of each image that is set to the mean, as a fraction of "
                "its side; 0: none, unless --augment says so (0.5 then)",
                0, 1);
  settings.real("label-smoothing", o.label_smoothing, "Probability that is spread over all classes", 0, 0.9);
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
          .label_smoothing = f(label_smoothing)};
}

}  // namespace adwp::apps
