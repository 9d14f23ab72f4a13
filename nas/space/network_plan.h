// An architecture made explicit: its layers, and the order in which they are computed.
//
// This is the only place that knows how a block is made of layers. Counting, encoding, predicting
// kernels, assembling the macro-network, drawing and exporting all walk this plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/backend/specs.h"
#include "nas/space/architecture.h"

namespace adwp::nas {

// What the network is for; not searched.
struct Task {
  std::int64_t image_size = 32;  // height and width
  std::int64_t channels = 3;
  std::int64_t classes = 10;

  bool operator==(const Task&) const = default;
};

enum class LayerRole { stem, dense, depthwise, pointwise, expand, project, squeeze, excite, join, head };
const char* name_of(LayerRole role);

// A convolution with what follows it. Kernel (out, k, k, in / groups); then either batch norm
// (`norm`: scale and shift, (out) each) or a bias (only shift: squeeze and excite), then `act`.
struct LayerSpec {
  std::string name;  // "stage1.block2.expand"
  LayerRole role = LayerRole::dense;
  int stage = -1;  // -1: the stem; number of stages: the head
  int block = 0;
  Conv2d conv;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  // When the input is a concatenation: how many channels come from the predecessor; else all.
  std::int64_t first_channels = 0;
  std::int64_t in_size = 0;  // height and width of the input
  std::int64_t out_size = 0;
  bool norm = true;
  Activation act = Activation::none;

  Shape kernel_shape() const;
  std::int64_t fan_in() const;      // elements of one output channel's kernel
  std::int64_t parameters() const;  // kernel, and scale and shift, or bias
  std::int64_t macs() const;        // multiply-accumulates of the convolution, per image
};

enum class StepKind {
  layer,          // output = layers[layer](inputs[0])
  add,            // output = inputs[0] + inputs[1]
  concat,         // output = [inputs[0] | inputs[1]] along the channels
  channel_scale,  // output = inputs[0] * inputs[1], the latter (N, 1, 1, C)
  global_pool,    // output = mean over the image of inputs[0], (N, 1, 1, C)
};

// Values are numbered; 0 is the batch of images. Each step makes one new value.
struct Step {
  StepKind kind = StepKind::layer;
  int layer = -1;
  std::vector<int> inputs;
  int output = 0;
  bool residual = false;  // add: inputs[0] is what a block computed, inputs[1] what it began with
};

struct NetworkPlan {
  Task task;
  Architecture architecture;
  std::vector<LayerSpec> layers;
  std::vector<Step> steps;             // the last one pools globally; the classifier follows it
  std::vector<int> last_use;           // per value: the index of the last step that reads it
  std::int64_t classifier_inputs = 0;  // classifier: (classes, inputs) and bias (classes)

  std::int64_t parameters() const;        // all layers and the classifier
  std::int64_t macs() const;              // per image, layers and classifier
  std::int64_t activation_bytes() const;  // f32 outputs of all layers, per image
};

// Throws a usage Error when the architecture does not fit the task (an image smaller than 1 pixel
// at some stage, too many channels).
NetworkPlan plan_network(const Architecture& architecture, const Task& task);

}  // namespace adwp::nas
