// The spaces that come with the project.
#include "framework/core/error.h"
#include "nas/space/search_space.h"

namespace adwp::nas {
namespace {

std::vector<Operation> operations_from(std::initializer_list<const char*> texts) {
  std::vector<Operation> operations;
  for (const char* text : texts) operations.push_back(Operation::from_text(text));
  return operations;
}

// For CPUs, tests and classrooms: 3.5 k to 600 k parameters, 0.3 to 25 M multiply-accumulates at 32 x 32.
SearchSpace tiny() {
  SearchSpace space;
  space.name = "tiny";
  space.stem_width = 16;
  space.stem_stride = 2;
  space.stages = {{{16, 24}, 1, 3, 1}, {{24, 32, 48}, 1, 3, 2}, {{48, 64, 96}, 1, 3, 2}};
  space.operations = operations_from(
      {"dense3", "separable3", "separable5", "inverted3_e1", "inverted3_e3", "inverted3_e6", "inverted5_e3"});
  space.joins = {Join::none, Join::add, Join::concat};
  space.head_widths = {0};
  space.activation = Activation::relu;
  return space;
}

// At the scale of the paper's network (1.52 M parameters on CIFAR-10).
SearchSpace cifar() {
  SearchSpace space;
  space.name = "cifar";
  space.stem_width = 32;
  space.stem_stride = 1;
  space.stages = {{{24, 32, 40, 48}, 2, 8, 1}, {{48, 64, 80, 96}, 2, 8, 2}, {{96, 128, 160, 192}, 2, 8, 2}};
  space.operations =
      operations_from({"dense3", "separable3", "separable5", "separable7", "inverted3_e2", "inverted3_e3",
                       "inverted3_e4", "inverted3_e6", "inverted5_e3", "inverted5_e6", "inverted7_e3",
                       "inverted3_e4_se", "inverted5_e3_se", "inverted5_e6_se", "inverted7_e6_se"});
  space.joins = {Join::none, Join::add, Join::concat};
  space.head_widths = {256, 384, 512};
  space.activation = Activation::hard_swish;
  return space;
}

}  // namespace

SearchSpace SearchSpace::preset(const std::string& name) {
  if (name == "tiny") return tiny();
  if (name == "cifar") return cifar();
  fail_usage("search space", "unknown preset, got '{}', expected tiny or cifar", name);
}

}  // namespace adwp::nas
