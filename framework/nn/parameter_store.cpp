#include "framework/nn/parameter_store.h"

#include <algorithm>
#include <cmath>

#include "framework/core/error.h"
#include "framework/core/random.h"

namespace adwp::nn {

Initial Initial::he(std::int64_t fan_in) { return normal(std::sqrt(2.0f / fan_in)); }

int ParameterStore::add(std::string name, Shape shape, Decay decay, Initial initial) {
  require(!flat_.defined(), "parameters", "'{}' was added after the store had been built", name);
  require(
      std::none_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; }),
      "parameters", "the name '{}' is taken", name);
  entries_.push_back({std::move(name), shape, decay, initial});
  return entries_.size() - 1;
}

void ParameterStore::build(Arena& arena, std::uint64_t seed) {
  std::int64_t total = 0;
  auto place = [&](Decay decay) {
    for (Entry& entry : entries_) {
      if (entry.decay != decay) continue;
      entry.offset = total;
      total += (entry.shape.elements() + alignment - 1) / alignment * alignment;
    }
  };
  place(Decay::yes);
  decayed_ = total;
  place(Decay::no);

  std::vector<float> values(total, 0.0f);
  for (std::size_t number = 0; number < entries_.size(); ++number) {
    const Entry& entry = entries_[number];
    Random random(seed, Purpose::initialise, number);
    auto draw = [&]() -> float {
      switch (entry.initial.kind) {
        case Initial::Kind::constant:
          return entry.initial.scale;
        case Initial::Kind::normal:
          return entry.initial.scale * random.normal();
        case Initial::Kind::uniform:
          return entry.initial.scale * (2.0f * random.uniform() - 1.0f);
      }
      return 0;
    };
    std::generate_n(values.begin() + entry.offset, entry.shape.elements(), draw);
  }
  const Tensor value = Tensor::from_host(arena, Shape{total}, std::span<const float>(values));
  const Tensor gradient(arena, Shape{total});
  gradient.zero();
  flat_ = Variable::leaf(value, gradient);
}

Variable ParameterStore::operator[](int parameter) const {
  const Entry& e = entry(parameter);
  return flat_.view(e.offset, e.shape);
}

std::int64_t ParameterStore::parameters() const {
  std::int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.shape.elements();
  return sum;
}

}  // namespace adwp::nn
