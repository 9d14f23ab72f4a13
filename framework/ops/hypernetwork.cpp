// The HyperNetwork's operators.
#include "framework/core/error.h"
#include "framework/ops/ops.h"

namespace adwp::ops {

Variable embedding_sum(Tape& tape, std::span<const Variable> tables, const Tensor& index) {
  require(!tables.empty() && tables.size() <= EmbeddingSum::most_tables, "embedding_sum",
          "got {} tables, expected 1 to {}", tables.size(), EmbeddingSum::most_tables);
  const Tensor y = tape.tensor(Shape{index.shape()[0], tables[0].shape()[1]});
  Tensor values[EmbeddingSum::most_tables];
  Variable inputs[EmbeddingSum::most_tables];
  std::vector<Gradient> gradients;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    values[t] = tables[t].value();
    inputs[t] = tables[t];
    gradients.push_back(tables[t].gradient());
  }
  tape.backend().compute(EmbeddingSum{std::span(values, tables.size()), index, y});
  return tape.record(y, {&inputs[0], &inputs[1], &inputs[2]},
                     [&backend = tape.backend(), index, gradients](const Tensor& dy) {
                       int column = 0;
                       for (const Gradient& gradient : gradients) {
                         if (gradient.required()) {
                           backend.compute(EmbeddingBackward{dy, index, column, gradient.target()});
                         }
                         ++column;
                       }
                     });
}

Variable assemble(Tape& tape, std::span<const Variable> sources, std::span<const Tensor> pieces,
                  std::int64_t elements) {
  require(sources.size() == pieces.size(), "assemble", "got {} sources and {} lists of pieces",
          sources.size(), pieces.size());
  const Tensor out = tape.tensor(Shape{elements});
  std::vector<Gradient> gradients;
  Variable needing;  // any source that needs a gradient makes the result need one
  for (std::size_t t = 0; t < sources.size(); ++t) {
    tape.backend().compute(Assemble{sources[t].value(), pieces[t], out});
    gradients.push_back(sources[t].gradient());
    if (sources[t].requires_grad()) needing = sources[t];
  }
  return tape.record(out, {&needing},
                     [&backend = tape.backend(), gradients,
                      lists = std::vector<Tensor>(pieces.begin(), pieces.end())](const Tensor& dout) {
                       for (std::size_t t = 0; t < gradients.size(); ++t) {
                         if (!gradients[t].required()) continue;
                         backend.compute(AssembleBackward{dout, lists[t], gradients[t].target()});
                       }
                     });
}

}  // namespace adwp::ops
