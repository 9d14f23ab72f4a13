#include "tests/oracle/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adwp::oracle {

double activate(Activation act, double x) {
  const double hard = std::clamp(x / 6 + 0.5, 0.0, 1.0);
  switch (act) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::hard_swish:
      return x * hard;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::hard_sigmoid:
      return hard;
  }
  return x;
}

Array gemm(bool transpose_a, bool transpose_b, const Array& a, const Array& b, const Array& bias,
           Activation act) {
  const std::int64_t m = a.shape[transpose_a ? 1 : 0], k = a.shape[transpose_a ? 0 : 1];
  const std::int64_t n = b.shape[transpose_b ? 0 : 1];
  Array c(Shape{m, n});
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = bias.values.empty() ? 0 : bias.at(j);
      for (std::int64_t l = 0; l < k; ++l) {
        sum += a.at(transpose_a ? l * m + i : i * k + l) * b.at(transpose_b ? j * k + l : l * n + j);
      }
      c.at(i * n + j) = activate(act, sum);
    }
  }
  return c;
}

Array conv2d(const Conv2d& conv, const Array& x, const Array& w) {
  const std::int64_t channels = w.shape[3];
  Array y(conv2d_output(conv, x.shape, w.shape));
  for (std::int64_t n = 0; n < y.shape[0]; ++n) {
    for (std::int64_t p = 0; p < y.shape[1]; ++p) {
      for (std::int64_t q = 0; q < y.shape[2]; ++q) {
        for (std::int64_t k = 0; k < y.shape[3]; ++k) {
          double sum = 0;
          for (std::int64_t r = 0; r < conv.kernel; ++r) {
            for (std::int64_t s = 0; s < conv.kernel; ++s) {
              const std::int64_t h = p * conv.stride + r - conv.padding;
              const std::int64_t v = q * conv.stride + s - conv.padding;
              if (h < 0 || h >= x.shape[1] || v < 0 || v >= x.shape[2]) continue;
              for (std::int64_t c = 0; c < channels; ++c) {
                sum += x.at(n, h, v, conv.depthwise ? k : c) * w.at(k, r, s, c);
              }
            }
          }
          y.at(n, p, q, k) = sum;
        }
      }
    }
  }
  return y;
}

Moments moments(const Array& x) {
  const std::int64_t channels = x.shape.back(), rows = x.shape.rows();
  Moments result{Array(Shape{channels}), Array(Shape{channels})};
  const auto count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < rows; ++i) result.mean.at(c) += x.at(i * channels + c) / count;
    for (std::int64_t i = 0; i < rows; ++i) {
      const double d = x.at(i * channels + c) - result.mean.at(c);
      result.var.at(c) += d * d / count;
    }
  }
  return result;
}

Array batch_norm(const Array& x, const Moments& m, const Array& scale, const Array& shift, double epsilon,
                 Activation act) {
  const std::int64_t channels = x.shape.back();
  Array y(x.shape);
  for (std::int64_t i = 0; i < x.shape.elements(); ++i) {
    const std::int64_t c = i % channels;
    const double normal = (x.at(i) - m.mean.at(c)) / std::sqrt(m.var.at(c) + epsilon);
    y.at(i) = activate(act, normal * scale.at(c) + shift.at(c));
  }
  return y;
}

Array layer_norm(const Array& x, double epsilon, Activation act) {
  const std::int64_t rows = x.shape[0], width = x.shape[1];
  Array y(x.shape);
  for (std::int64_t i = 0; i < rows; ++i) {
    double mean = 0, var = 0;
    for (std::int64_t j = 0; j < width; ++j) mean += x.at(i * width + j) / double(width);
    for (std::int64_t j = 0; j < width; ++j) {
      var += std::pow(x.at(i * width + j) - mean, 2) / double(width);
    }
    for (std::int64_t j = 0; j < width; ++j) {
      y.at(i * width + j) = activate(act, (x.at(i * width + j) - mean) / std::sqrt(var + epsilon));
    }
  }
  return y;
}

Array activation(Activation act, const Array& x) {
  Array y(x.shape);
  for (std::int64_t i = 0; i < x.shape.elements(); ++i) y.at(i) = activate(act, x.at(i));
  return y;
}

Array add(const Array& a, const Array& b) {
  Array y(a.shape);
  for (std::int64_t i = 0; i < a.shape.elements(); ++i) y.at(i) = a.at(i) + b.at(i);
  return y;
}

Array channel_scale(const Array& x, const Array& s) {
  Array y(x.shape);
  const std::int64_t pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  for (std::int64_t i = 0; i < x.shape.elements(); ++i) {
    y.at(i) = x.at(i) * s.at(i / (pixels * channels) * channels + i % channels);
  }
  return y;
}

Array concat(const Array& a, const Array& b) {
  const std::int64_t first = a.shape[3], second = b.shape[3];
  Array y(Shape{a.shape[0], a.shape[1], a.shape[2], first + second});
  for (std::int64_t i = 0; i < y.shape.elements(); ++i) {
    const std::int64_t row = i / (first + second), c = i % (first + second);
    y.at(i) = c < first ? a.at(row * first + c) : b.at(row * second + c - first);
  }
  return y;
}

Array global_pool(const Array& x) {
  Array y(Shape{x.shape[0], 1, 1, x.shape[3]});
  const std::int64_t pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  for (std::int64_t i = 0; i < x.shape.elements(); ++i) {
    y.at(i / (pixels * channels) * channels + i % channels) += x.at(i) / double(pixels);
  }
  return y;
}

Array cross_entropy(const Array& logits, const std::vector<std::int32_t>& labels, double smoothing) {
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  double loss = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) most = std::max(most, logits.at(n * classes + c));
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(logits.at(n * classes + c) - most);
    for (std::int64_t c = 0; c < classes; ++c) {
      const double target =
          smoothing / double(classes) + (c == labels[static_cast<std::size_t>(n)] ? 1 - smoothing : 0);
      loss -= target * (logits.at(n * classes + c) - most - std::log(sum));
    }
  }
  return Array(Shape{1}, {loss / double(rows)});
}

Array mixed_cross_entropy(const Array& logits, const std::vector<std::int32_t>& labels, double smoothing,
                          const Taught& taught) {
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  const auto softmax = [&](const Array& from, std::int64_t n, double temperature) {
    std::vector<double> p(static_cast<std::size_t>(classes));
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) most = std::max(most, from.at(n * classes + c));
    for (std::size_t c = 0; c < p.size(); ++c) {
      p[c] = std::exp((from.at(n * classes + static_cast<std::int64_t>(c)) - most) / temperature);
      sum += p[c];
    }
    for (double& value : p) value /= sum;
    return p;
  };
  double loss = 0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto row = static_cast<std::size_t>(n);
    const std::vector<double> p = softmax(logits, n, 1);
    double own = 0;
    for (std::size_t c = 0; c < p.size(); ++c) {
      const bool label = labels[row] == static_cast<std::int32_t>(c);
      const bool other = taught.others[row] == static_cast<std::int32_t>(c);
      const double mixed = taught.share[row] * label + (1 - taught.share[row]) * other;
      own -= ((1 - smoothing) * mixed + smoothing / double(classes)) * std::log(p[c]);
    }
    double divergence = 0;
    if (taught.weight > 0) {
      const std::vector<double> q = softmax(taught.teacher, n, taught.temperature);
      const std::vector<double> warm = softmax(logits, n, taught.temperature);
      for (std::size_t c = 0; c < q.size(); ++c) divergence += q[c] * std::log(q[c] / warm[c]);
    }
    loss += (1 - taught.weight) * own + taught.weight * taught.temperature * taught.temperature * divergence;
  }
  return Array(Shape{1}, {loss / double(rows)});
}

Array embedding_sum(const std::vector<Array>& tables, const std::vector<std::int32_t>& index) {
  const auto count = static_cast<std::int64_t>(tables.size());
  const std::int64_t rows = static_cast<std::int64_t>(index.size()) / count;
  const std::int64_t width = tables[0].shape[1];
  Array y(Shape{rows, width});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t entry = index[static_cast<std::size_t>(i * count + t)];
      for (std::int64_t d = 0; d < width; ++d) {
        y.at(i * width + d) += tables[static_cast<std::size_t>(t)].at(entry * width + d);
      }
    }
  }
  return y;
}

void assemble(const Array& source, const std::vector<TilePiece>& pieces, Array& out) {
  for (const TilePiece& p : pieces) {
    for (std::int64_t row = 0; row < p.rows; ++row) {
      for (std::int64_t tap = 0; tap < p.taps; ++tap) {
        for (std::int64_t col = 0; col < p.cols; ++col) {
          const std::int64_t tile = row / p.tile_rows * p.tiles_across + col / p.tile_cols;
          const std::int64_t inside = (row % p.tile_rows * p.taps + tap) * p.tile_cols + col % p.tile_cols;
          out.at(p.target + (row * p.taps + tap) * p.target_cols + col) =
              p.scale * source.at(p.source + tile * p.pitch + inside) + p.offset;
        }
      }
    }
  }
}

}  // namespace adwp::oracle
