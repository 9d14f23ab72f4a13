#include "framework/ops/hypernetwork.h"

#include "framework/core/error.h"

namespace adwp::ops {

Variable embedding_sum(Tape& tape, std::span<const Variable> tables, const Tensor& index) {
  require(!tables.empty() && tables.size() <= 3, "embedding_sum", "got {} tables, expected 1 to 3",
          tables.size());
  Backend& backend = tape.backend();
  const Tensor y = tape.tensor(Shape{index.shape()[0], tables[0].shape()[1]});
  Tensor values[3];
  Variable inputs[3];
  std::vector<Gradient> gradients;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    values[t] = tables[t].value();
    inputs[t] = tables[t];
    gradients.push_back(tables[t].gradient());
  }
  backend.embedding_sum(values, static_cast<int>(tables.size()), index, y);
  return tape.record(y, {&inputs[0], &inputs[1], &inputs[2]}, [&backend, index, gradients](const Tensor& dy) {
    for (std::size_t t = 0; t < gradients.size(); ++t) {
      gradients[t].accumulate([&](const Tensor& gradient, GradMode mode) {
        backend.embedding_backward(dy, index, static_cast<int>(t), gradient, mode);
      });
    }
  });
}

Variable assemble(Tape& tape, std::span<const Variable> sources, std::span<const Tensor> pieces,
                  std::int64_t elements) {
  require(sources.size() == pieces.size(), "assemble", "got {} sources and {} lists of pieces",
          sources.size(), pieces.size());
  Backend& backend = tape.backend();
  const Tensor out = tape.tensor(Shape{elements});
  std::vector<Gradient> gradients;
  Variable needing;  // any source that needs a gradient makes the result need one
  for (std::size_t t = 0; t < sources.size(); ++t) {
    backend.assemble(sources[t].value(), pieces[t], out);
    gradients.push_back(sources[t].gradient());
    if (sources[t].requires_grad()) needing = sources[t];
  }
  return tape.record(
      out, {&needing},
      [&backend, gradients, lists = std::vector<Tensor>(pieces.begin(), pieces.end())](const Tensor& dout) {
        for (std::size_t t = 0; t < gradients.size(); ++t) {
          gradients[t].accumulate([&](const Tensor& gradient, GradMode mode) {
            backend.assemble_backward(dout, lists[t], gradient, mode);
          });
        }
      });
}

}  // namespace adwp::ops
