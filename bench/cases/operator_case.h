// One operator on one set of shapes: tests hold it to the oracle, benches time it.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "framework/autograd/tape.h"

namespace adwp::oracle {
struct Array;
}

namespace adwp::bench {

using Tensors = std::vector<Tensor>;
using Variables = std::vector<Variable>;

struct Operand {
  Shape shape;
  double low = -1, high = 1;
};

// One call of a device's operator (framework/backend/operators.h), on operands of its own.
struct Kernel {
  std::vector<Shape> operands;  // all that it reads and writes, f32
  std::function<void(Backend&, const Tensors&)> compute;
  // The same by the operators that this one joins; empty for all others.
  std::function<void(Backend&, const Tensors&)> apart = {};
  bool input_gradient = false;  // not called where the input is the batch of images

  // What the operator's struct says of itself.
  struct Facts {
    std::string method, shape;  // "conv2d_dgrad", "depthwise_3x3_s2_64x32x32x48_to_48"
    double bytes = 0, flops = 0;

    bool product() const {
      return flops > 0;
    }  // a matrix product or a convolution: there is a ladder of these
  };
  std::function<Facts(const Tensors&)> facts;  // reads only the tensors' shapes
};

struct OperatorCase {
  std::string name;
  std::vector<Operand> operands;
  // The operator as a network calls it.
  std::function<Variable(Tape&, const Variables&)> device;
  // The same in double precision, where a test has attached it.
  std::function<oracle::Array(const std::vector<oracle::Array>&)> oracle = {};
  // The operators that it comes down to in a training step, forward and backward.
  std::vector<Kernel> kernels = {};
  double tolerance = 1e-7;           // normalised mean square error of the result
  double gradient_tolerance = 1e-7;  // and of gradients
};
inline std::ostream& operator<<(std::ostream& out, const OperatorCase& c) { return out << c.name; }

OperatorCase conv2d(const Conv2d& conv, const Shape& x, std::int64_t filters);
OperatorCase batch_norm(const Shape& x, Activation act);
OperatorCase conv2d_batch_norm(const Conv2d& conv, const Shape& x, std::int64_t filters, Activation act);
// x (m, k), w (n, k) -> (m, n).
OperatorCase linear(std::int64_t m, std::int64_t k, std::int64_t n, bool bias, Activation act);
OperatorCase add(const Shape& x);
OperatorCase concat(const Shape& a, std::int64_t channels);  // of the second operand
OperatorCase channel_scale(const Shape& x);
OperatorCase global_pool(const Shape& x);

}  // namespace adwp::bench
