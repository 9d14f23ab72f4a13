// One operator on one set of shapes: the case that the comparison with the oracle and the gradient
// check share.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "framework/autograd/tape.h"
#include "tests/oracle/oracle.h"

namespace adwp::test {

struct Operand {
  Shape shape;
  double low = -1, high = 1;
};

struct OperatorCase {
  std::string name;
  std::vector<Operand> operands;
  // The operator on the device and in double precision, on the same operands.
  std::function<Variable(Tape&, const std::vector<Variable>&)> device;
  std::function<oracle::Array(const std::vector<oracle::Array>&)> oracle;
  double tolerance = 1e-7;           // normalised mean square error of the result
  double gradient_tolerance = 1e-7;  // and of gradients
};
inline std::ostream& operator<<(std::ostream& out, const OperatorCase& c) { return out << c.name; }

// Every operator of framework/ops, on the shapes of the design: 1 x 1 images, odd sizes, channels
// that fill no tile, batch 1, stride 2, all activations, empty tensors.
std::vector<OperatorCase> convolution_cases();
std::vector<OperatorCase> normalization_cases();
std::vector<OperatorCase> elementwise_cases();
std::vector<OperatorCase> pooling_cases();
std::vector<OperatorCase> matrix_cases();        // linear, cross-entropy
std::vector<OperatorCase> hypernetwork_cases();  // embedding sum, assemble
std::vector<OperatorCase> all_cases();

}  // namespace adwp::test
