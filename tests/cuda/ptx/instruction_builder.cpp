#include "tests/cuda/ptx/instruction_builder.h"

#include <stdexcept>

#include "tests/cuda/ptx/counts.h"
#include "tests/cuda/ptx/operations.h"

namespace adwp::executor {
namespace {

using Kind = Instruction::Kind;

[[noreturn]] void unknown(const std::string& what) { throw std::runtime_error("ptx: not known: " + what); }

// By commas that stand outside of braces and brackets.
std::vector<std::string> separated(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  int depth = 0;
  for (const char c : text) {
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.push_back(trimmed(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!trimmed(part).empty()) parts.push_back(trimmed(part));
  return parts;
}

std::vector<std::string> elements(const std::string& text) {  // of {a, b}, or of a alone
  return text[0] == '{' ? separated(text.substr(1, text.size() - 2)) : std::vector<std::string>{text};
}

bool is_wide(const std::string& name) {
  return name.starts_with("%rd") || name.starts_with("%fd") || name.starts_with("%SP");
}

std::vector<std::string> words_of(const std::string& name) {  // ld.global.nc.f32: ld, global, nc, f32
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t dot = std::min(name.find('.', at), name.size());
    words.push_back(name.substr(at, dot - at));
    at = dot + 1;
  }
  return words;
}

}  // namespace

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

void InstructionBuilder::add_instruction(std::string text) {
  Instruction in;
  in.text = text;
  if (text[0] == '@') {
    const auto end = text.find_first_of(" \t");
    in.negated = text[1] == '!';
    const std::size_t from = in.negated ? 2 : 1;
    in.predicate = static_cast<int>(operand(text.substr(from, end - from), false));
    text = trimmed(text.substr(end));
  }
  const auto end = text.find_first_of(" \t");
  const std::string name = text.substr(0, end);
  in.kind_of_work = class_of(name);
  const Parts parts = end == std::string::npos ? Parts{} : separated(text.substr(end));
  try {
    if (!build_flow(in, name, parts) && !build_warp(in, name, parts) && !build_async(in, name, parts) &&
        !build_memory(in, name, parts) && !build_pair(in, name, parts) &&
        !build_arithmetic(in, name, parts)) {
      unknown(name);
    }
  } catch (const std::logic_error&) {  // fewer operands than there should be, or no number
    unknown(in.text);
  }
  kernel_.code.push_back(std::move(in));
}

void InstructionBuilder::finish() {
  for (const auto& [at, name] : branches_) {
    const auto found = labels_.find(name);
    if (found == labels_.end()) unknown("label " + name);
    kernel_.code[at].target = found->second;
  }
  if (kernel_.code.empty() || kernel_.code.back().kind != Kind::end)
    kernel_.code.push_back({.kind = Kind::end});
  kernel_.file_bytes = (size_ + 63) / 64 * 64;
}

std::uint32_t InstructionBuilder::allocate(bool wide) {
  const std::uint32_t at = size_;
  size_ += warp_size * (wide ? 8 : 4);
  return at;
}

std::uint32_t InstructionBuilder::constant(std::uint64_t value, bool wide) {
  const auto [found, fresh] = constants_.try_emplace({value, wide}, 0u);
  if (fresh) {
    found->second = allocate(wide);
    kernel_.constants.push_back({found->second, wide, value});
  }
  return found->second;
}

std::uint32_t InstructionBuilder::special(const std::string& name) {
  const auto [found, fresh] = kernel_.specials.try_emplace(name, 0u);
  if (fresh) found->second = allocate(false);
  return found->second;
}

std::uint32_t InstructionBuilder::operand(const std::string& text, bool wide) {
  if (text.empty()) unknown("an empty operand");
  if (text[0] == '%') {
    if (text.find('.') != std::string::npos || text == "%laneid") return special(text);
    const auto [found, fresh] = registers_.try_emplace(text, 0u);
    if (fresh) found->second = allocate(is_wide(text));
    if (is_wide(text) != wide) unknown("width of " + text);
    return found->second;
  }
  if (text.starts_with("0f") || text.starts_with("0d")) {
    return constant(std::stoull(text.substr(2), nullptr, 16), wide);
  }
  if (text[0] == '-') return constant(static_cast<std::uint64_t>(std::stoll(text, nullptr, 0)), wide);
  if (text[0] >= '0' && text[0] <= '9') return constant(std::stoull(text, nullptr, 0), wide);
  return constant(symbol(text), wide);
}

std::uint32_t InstructionBuilder::symbol(const std::string& name) {
  if (const auto own = symbols_.find(name); own != symbols_.end()) return own->second;
  const auto found = shared_.find(name);
  if (found == shared_.end()) unknown("operand " + name);
  const auto [alignment, bytes] = found->second;
  const std::uint32_t at = (kernel_.shared_bytes + alignment - 1) / alignment * alignment;
  kernel_.shared_bytes = at + bytes;
  return symbols_[name] = at;
}

std::uint32_t InstructionBuilder::operands(Instruction& in, const Parts& lists, std::uint32_t at) {
  for (const std::string& list : lists) {
    for (const std::string& element : elements(list)) in.operands.at(at++) = operand(element, false);
  }
  return at;
}

InstructionBuilder::Address InstructionBuilder::address(const std::string& text) {
  const std::string inside = text.substr(1, text.size() - 2);
  const auto plus = inside.find('+');
  if (plus == std::string::npos) return {inside, 0};
  return {inside.substr(0, plus), std::stoll(inside.substr(plus + 1))};
}

bool InstructionBuilder::build_flow(Instruction& in, const std::string& name, const Parts& parts) {
  if (name == "bra" || name == "bra.uni") {
    in.kind = Kind::branch;
    branches_.push_back({kernel_.code.size(), parts.at(0)});
  } else if (name == "ret" || name == "exit") {
    in.kind = Kind::end;
  } else if (name == "membar.gl") {
    in.execute = fence;
  } else if (name == "bar.sync" || name == "barrier.sync") {
    if (parts.size() != 1 || parts[0] != "0") unknown(in.text);
    in.kind = Kind::barrier;
  } else {
    return false;
  }
  return true;
}

bool InstructionBuilder::build_warp(Instruction& in, const std::string& name, const Parts& parts) {
  if (name == "bar.warp.sync") {
    in.execute = warp_barrier;
    in.operands[Instruction::members] = operand(parts.at(0), false);
  } else if (name == "shfl.sync.bfly.b32") {  // d|valid, a, lane mask, clamp, members
    const auto bar = parts.at(0).find('|');
    const bool tells = bar != std::string::npos;
    in.execute = shuffle_butterfly;
    in.operands[0] = operand(parts[0].substr(0, bar), false);
    in.operands[1] = tells ? operand(parts[0].substr(bar + 1), false) : allocate(false);
    for (std::uint32_t i = 1; i < 4; ++i) in.operands[i + 1] = operand(parts.at(i), false);
    in.operands[Instruction::members] = operand(parts.at(4), false);
  } else if (name.starts_with("mma.")) {
    in.execute = mma_operation(name);
    if (in.execute == nullptr || operands(in, parts, 0) != 14) unknown(in.text);
    in.operands[Instruction::members] = constant(all_lanes, false);
  } else if (name.starts_with("ldmatrix.")) {
    const Address from = address(parts.at(1));
    in.execute = ldmatrix_operation(name);
    if (in.execute == nullptr || operands(in, {parts.at(0), from.base}, 0) != 5) unknown(in.text);
    in.offset = from.offset;
    in.operands[Instruction::members] = constant(all_lanes, false);
  } else {
    return false;
  }
  in.kind = Kind::warp;
  return true;
}

bool InstructionBuilder::build_async(Instruction& in, const std::string& name, const Parts& parts) {
  if (name == "cp.async.commit_group") {
    in.execute = async_commit;
  } else if (name == "cp.async.wait_group") {
    in.execute = async_wait;
    in.target = static_cast<std::uint32_t>(std::stoul(parts.at(0)));
  } else if (name.starts_with("cp.async.ca.shared.global") || name.starts_with("cp.async.cg.shared.global")) {
    const Address to = address(parts.at(0)), from = address(parts.at(1));
    const auto bytes = static_cast<std::uint32_t>(std::stoul(parts.at(2)));
    in.execute = async_copy_operation(bytes);
    if (in.execute == nullptr) unknown(in.text);
    in.operands[0] = operand(to.base, false);
    in.operands[1] = operand(from.base, true);
    in.operands[2] = parts.size() > 3 ? operand(parts[3], false) : constant(bytes, false);
    in.operands[3] = static_cast<std::uint32_t>(static_cast<std::int32_t>(from.offset));
    in.offset = to.offset;
  } else {
    return false;
  }
  return true;
}

// ld.SPACE[...].TYPE {registers}, [address] and st.SPACE[...].TYPE [address], {registers}. Addresses without
// a space are global ones: no kernel here makes them of shared memory.
bool InstructionBuilder::build_memory(Instruction& in, const std::string& name, const Parts& parts) {
  if (name == "atom.global.inc.u32") {
    const Address at = address(parts.at(1));
    in.execute = atomic_increment;
    in.operands[0] = operand(parts[0], false);
    in.operands[1] = operand(at.base, true);
    in.operands[2] = operand(parts.at(2), false);
    in.offset = at.offset;
    return true;
  }
  if (!name.starts_with("ld.") && !name.starts_with("st.")) return false;
  const std::vector<std::string> words = words_of(name);
  const std::string &type = words.back(), &where = words.at(1);
  const Access access = words[0] == "ld" ? Access::read : Access::write;
  const Address place = address(parts.at(access == Access::read ? 1 : 0));
  const bool wide_address = place.base[0] == '%' && is_wide(place.base);
  const Space space = where == "shared"                  ? Space::shared
                      : where == "local"                 ? Space::local
                      : where == "param" && wide_address ? Space::wide_parameter
                      : where == "param"                 ? Space::parameter
                                                         : Space::global;
  if (space == Space::global && where != "global" && words.size() > 2 && where[0] != 'v') unknown(in.text);
  const std::vector<std::string> registers = elements(parts.at(access == Access::read ? 0 : 1));
  const bool wide = registers[0][0] == '%' ? is_wide(registers[0]) : type.ends_with("64");
  std::uint32_t at = 0;
  for (const std::string& name_of : registers) in.operands[at++] = operand(name_of, wide);
  in.operands[at] = operand(place.base, space != Space::shared && space != Space::parameter);
  in.offset = place.offset;
  if (space == Space::shared && (type.ends_with("8") || type.ends_with("16"))) kernel_.watched_bytes = 1;
  in.execute = memory_operation(space, access, type, wide, registers.size());
  if (in.execute == nullptr) unknown(in.text);
  return true;
}

bool InstructionBuilder::build_pair(Instruction& in, const std::string& name, const Parts& parts) {
  if (name != "mov.b64" && name != "mov.b32") return false;
  const bool splits = parts.at(0)[0] == '{', wide = name == "mov.b64";
  if (!splits && parts.at(1)[0] != '{') return false;
  const std::vector<std::string> halves = elements(parts[splits ? 0 : 1]);
  in.execute = splits ? split_operation(wide) : join_operation(wide);
  in.operands[splits ? 2 : 0] = operand(parts[splits ? 1 : 0], wide);
  in.operands[splits ? 0 : 1] = halves.at(0) == "_" ? allocate(false) : operand(halves.at(0), false);
  in.operands[splits ? 1 : 2] = halves.at(1) == "_" ? allocate(false) : operand(halves.at(1), false);
  return true;
}

bool InstructionBuilder::build_arithmetic(Instruction& in, const std::string& name, const Parts& parts) {
  // Of a register that is wider than the type the lower part counts.
  const bool narrows = name == "cvt.s64.s32" && is_wide(parts.at(1));
  const Operation* operation = find_operation(narrows ? name + " of 8 bytes" : name);
  if (operation == nullptr) return false;
  if (parts.size() != operation->widths.size()) unknown(in.text);
  in.execute = operation->execute;
  for (std::size_t i = 0; i < parts.size(); ++i)
    in.operands[i] = operand(parts[i], operation->widths[i] == '8');
  return true;
}

}  // namespace adwp::executor
