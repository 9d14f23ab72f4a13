#include "tests/cuda/ptx/counts.h"

#include <numeric>

namespace adwp::executor {

const char* name_of(Class kind) {
  constexpr const char* names[] = {"move",    "integer", "wide",     "division", "floating",
                                   "special", "doubles", "matrix",   "global",   "shared",
                                   "async",   "control", "exchange", "ordering"};
  static_assert(std::size(names) == class_count);
  return names[static_cast<std::size_t>(kind)];
}

Class class_of(const std::string& opcode) {
  const auto begins = [&](auto... with) { return (opcode.starts_with(with) || ...); };
  const auto has = [&](const char* text) { return opcode.find(text) != std::string::npos; };
  if (begins("ld.param", "mov.", "cvta.")) return Class::move;
  if (begins("ld.shared", "st.shared", "ldmatrix.")) return Class::shared;
  if (begins("atom.", "membar.")) return Class::ordering;
  if (begins("ld.", "st.")) return Class::global;
  if (begins("cp.async")) return Class::async;
  if (begins("mma.")) return Class::matrix;
  if (begins("bar.", "barrier.", "shfl.")) return Class::exchange;
  if (has(".f64")) return Class::doubles;
  const bool real = has(".f32") || has(".bf16") || has(".tf32");
  if (begins("div.", "rem.")) return real ? Class::special : Class::division;
  if (begins("rcp.", "sqrt.", "rsqrt.", "ex2.", "lg2.", "tanh.")) return Class::special;
  if (begins("bra", "ret", "exit", "selp.")) return Class::control;
  if (real) return Class::floating;
  if (begins("setp.") || has(".pred")) return Class::control;
  return has("64") || has(".wide") ? Class::wide : Class::integer;
}

std::uint64_t Counts::all_executed() const {
  return std::accumulate(executed.begin(), executed.end(), std::uint64_t{0});
}

void Counts::add(const Counts& other) {
  for (std::size_t i = 0; i < class_count; ++i) executed[i] += other.executed[i];
  bank_rounds += other.bank_rounds;
  ideal_rounds += other.ideal_rounds;
  sectors += other.sectors;
  ideal_sectors += other.ideal_sectors;
  reached += other.reached;
  instructions += other.instructions;
}

Counts Counts::since(const Counts& before) const {
  Counts rest = *this;
  for (std::size_t i = 0; i < class_count; ++i) rest.executed[i] -= before.executed[i];
  rest.bank_rounds -= before.bank_rounds;
  rest.ideal_rounds -= before.ideal_rounds;
  rest.sectors -= before.sectors;
  rest.ideal_sectors -= before.ideal_sectors;
  return rest;
}

Counts counts_of(const Kernel& kernel) {
  Counts sum;
  for (const Instruction& in : kernel.code) {
    const Counters& c = in.counters;
    sum.executed[static_cast<std::size_t>(in.kind_of_work)] += c.executed;
    sum.bank_rounds += c.bank_rounds;
    sum.ideal_rounds += c.ideal_rounds;
    sum.sectors += c.sectors;
    sum.ideal_sectors += c.ideal_sectors;
    sum.reached += c.executed > 0;
    ++sum.instructions;
  }
  return sum;
}

}  // namespace adwp::executor
