// Lab 3: the reference solution.
#include "course/lab3/lab.h"
#include "framework/ops/ops.h"

namespace lab {

void forward(const float* x, const float* slope, float* y, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t i = 0; i < rows * channels; ++i) y[i] = x[i] > 0 ? x[i] : slope[i % channels] * x[i];
}

void backward_x(const float* x, const float* slope, const float* dy, float* dx, bool adds, std::int64_t rows,
                std::int64_t channels) {
  for (std::int64_t i = 0; i < rows * channels; ++i) {
    const float gradient = x[i] > 0 ? dy[i] : slope[i % channels] * dy[i];
    dx[i] = adds ? dx[i] + gradient : gradient;
  }
}

void backward_slope(const float* x, const float* dy, float* dslope, bool adds, std::int64_t rows,
                    std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) {
    float sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t i = r * channels + c;
      sum += x[i] > 0 ? 0 : x[i] * dy[i];
    }
    dslope[c] = adds ? dslope[c] + sum : sum;
  }
}

std::vector<double> oracle(const std::vector<double>& x, const std::vector<double>& slope) {
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) y.push_back(x[i] > 0 ? x[i] : slope[i % slope.size()] * x[i]);
  return y;
}

std::vector<double> differences(const std::function<double(const std::vector<double>&)>& f,
                                std::vector<double> x) {
  constexpr double step = 1e-5;
  std::vector<double> gradient;
  for (double& value : x) {
    const double middle = value;
    value = middle + step;
    const double above = f(x);
    value = middle - step;
    const double below = f(x);
    value = middle;
    gradient.push_back((above - below) / (2 * step));
  }
  return gradient;
}

adwp::Variable prelu(adwp::Tape& tape, const adwp::Variable& x, const adwp::Variable& slope) {
  const adwp::Tensor y = tape.tensor(x.shape());
  const std::int64_t rows = x.shape().rows(), channels = x.shape().back();
  forward(x.value().data<float>(), slope.value().data<float>(), y.data<float>(), rows, channels);
  return tape.record(y, {&x, &slope},
                     [=, xv = x.value(), sv = slope.value(), dx = x.gradient(),
                      ds = slope.gradient()](const adwp::Tensor& dy) {
                       if (dx.required()) {
                         const adwp::Target to = dx.target();
                         backward_x(xv.data<float>(), sv.data<float>(), dy.data<float>(),
                                    to.tensor.data<float>(), to.adds(), rows, channels);
                       }
                       if (ds.required()) {
                         const adwp::Target to = ds.target();
                         backward_slope(xv.data<float>(), dy.data<float>(), to.tensor.data<float>(),
                                        to.adds(), rows, channels);
                       }
                     });
}

adwp::Variable network(adwp::Tape& tape, const Parameters& p, const adwp::Variable& x) {
  const adwp::Variable hidden = prelu(tape, adwp::ops::linear(tape, x, p.w1, p.b1), p.slope);
  return adwp::ops::linear(tape, hidden, p.w2, p.b2);
}

}  // namespace lab
