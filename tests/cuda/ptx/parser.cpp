// From lines of PTX to a Kernel: declarations here, instructions in instruction_builder.h.
#include <algorithm>
#include <stdexcept>

#include "tests/cuda/ptx/instruction_builder.h"

namespace adwp::executor {
namespace {

std::uint32_t number_after(const std::string& line, const std::string& word) {
  return static_cast<std::uint32_t>(std::stoul(line.substr(line.find(word) + word.size())));
}

std::uint32_t aligned(std::uint32_t size, std::uint32_t to) { return (size + to - 1) / to * to; }

// .param .align 8 .b8 NAME[N] or .param .u64 NAME
void add_parameter(const std::string& line, Kernel& kernel, InstructionBuilder& builder) {
  std::string name = line.substr(line.find_last_of(" \t") + 1);
  std::uint32_t bytes = 0, align = 0;
  if (const auto bracket = name.find('['); bracket != std::string::npos) {
    bytes = static_cast<std::uint32_t>(std::stoul(name.substr(bracket + 1)));
    name.resize(bracket);
    align = number_after(line, ".align");
  } else {
    const auto type = line.find_first_of("0123456789", line.find(".param") + 6);
    bytes = align = static_cast<std::uint32_t>(std::stoul(line.substr(type))) / 8;
  }
  const std::uint32_t at = aligned(kernel.parameter_bytes, align);
  builder.add_symbol(name, at);
  kernel.parameters.push_back({at, bytes});
  kernel.parameter_bytes = at + bytes;
}

// .shared .align 16 .b8 NAME[N], or of a single number .shared .align 16 .u32 NAME;
std::pair<std::string, Variable> variable(const std::string& line) {
  const auto bracket = line.find('['), end = bracket == std::string::npos ? line.find(';') : bracket;
  const auto space = line.find_last_of(" \t", end);
  const std::uint32_t bits = bracket == std::string::npos ? number_after(line, ".u") : 0;
  return {line.substr(space + 1, end - space - 1),
          {number_after(line, ".align"), bits > 0 ? bits / 8 : number_after(line, "[")}};
}

void add_variable(const std::string& line, std::uint32_t& total, InstructionBuilder& builder) {
  const auto [name, of] = variable(line);
  total = aligned(total, of.alignment);
  builder.add_symbol(name, total);
  total += of.bytes;
}

class Parser {
 public:
  void line(const std::string& text) {
    if (const auto entry = text.find(".entry "); entry != std::string::npos)
      return begin(text.substr(entry + 7));
    if (kernel_ == nullptr && text.find(".shared ") != std::string::npos &&
        text.find("[]") == std::string::npos) {
      shared_.insert(variable(text));
    }
    if (kernel_ == nullptr || means_nothing(text)) return;
    if (text.starts_with(".maxntid")) {
      kernel_->most_threads = number_after(text, ".maxntid");
    } else if (text.starts_with(".param")) {
      add_parameter(text.back() == ',' ? text.substr(0, text.size() - 1) : text, *kernel_, *builder_);
    } else if (text.starts_with(".shared")) {
      add_variable(text, kernel_->shared_bytes, *builder_);
    } else if (text.starts_with(".local")) {
      add_variable(text, kernel_->local_bytes, *builder_);
    } else if (text == "}") {
      end();
    } else if (text.back() == ':') {
      builder_->add_label(text.substr(0, text.size() - 1));
    } else if (text.back() == ';') {
      builder_->add_instruction(trimmed(text.substr(0, text.size() - 1)));
    } else {
      throw std::runtime_error("ptx: not known: " + text);
    }
  }

  Module module;

 private:
  static bool means_nothing(const std::string& text) {
    return text == "{" || text == ")" || text.starts_with(".pragma") || text.starts_with(".reg") ||
           text.starts_with(".minnctapersm") || text.starts_with(".loc ") || text.starts_with(".file ");
  }
  void begin(const std::string& rest) {
    kernel_ = std::make_unique<Kernel>();
    kernel_->name = rest.substr(0, rest.find('('));
    builder_ = std::make_unique<InstructionBuilder>(*kernel_, shared_);
  }
  void end() {
    builder_->finish();
    const std::string name = kernel_->name;
    module[name] = std::move(kernel_);
  }

  std::map<std::string, Variable> shared_;  // outside of kernels
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<InstructionBuilder> builder_;
};

}  // namespace

Module parse(const std::string& text) {
  Parser parser;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::string content = trimmed(line.substr(0, line.find("//")));
    if (!content.empty()) parser.line(content);
  }
  return std::move(parser.module);
}

}  // namespace adwp::executor
