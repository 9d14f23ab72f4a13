#include "framework/io/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "framework/io/safetensors.h"

namespace adwp::io {
namespace {

namespace fs = std::filesystem;
using Named = std::vector<std::pair<std::string, Tensor>>;

const std::string steps_key = "optimizer.steps";
const std::string checksum_key = "checksum";

// The tensors of a checkpoint and their names in the file.
Named contents(const nn::ParameterStore& store, const optim::Optimizer* optimizer, const Named& extra) {
  Named all = extra;
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    all.emplace_back(store.entries()[i].name, store[static_cast<int>(i)].value());
  }
  if (optimizer != nullptr) {
    for (const auto& [name, tensor] : optimizer->state()) all.emplace_back("optimizer." + name, tensor);
  }
  return all;
}

// Of everything in the file but itself. Lengths go in before texts, so that no part can pass for another.
std::string checksum_of(const SafeTensors& file) {
  std::uint64_t hash = fnv1a_start;
  auto add = [&](const std::string& text) {
    hash = fnv1a(text, fnv1a(fmt::format("{} ", text.size()), hash));
  };
  for (const auto& [key, value] : file.metadata) {
    if (key == checksum_key) continue;
    add(key);
    add(value);
  }
  for (const auto& [name, tensor] : file.tensors) {
    add(name);
    add(fmt::format("{} {}", static_cast<int>(tensor.dtype), tensor.shape.text()));
    hash = fnv1a(tensor.bytes, hash);
  }
  return fmt::format("{:016x}", hash);
}

// The file, whole: throws where it is not.
SafeTensors read_checkpoint(const std::string& path) {
  SafeTensors file = SafeTensors::load(path);
  const std::string expected = checksum_of(file);
  const auto found = file.metadata.find(checksum_key);
  require(found != file.metadata.end() && found->second == expected, "checkpoint",
          "{} is damaged: checksum, got {}, expected {}", path,
          found == file.metadata.end() ? "none" : found->second, expected);
  return file;
}

void restore(const SafeTensors& file, const std::string& path, const nn::ParameterStore& store,
             optim::Optimizer* optimizer, const Named& extra) {
  const Named expected = contents(store, optimizer, extra);
  require(file.tensors.size() == expected.size(), "checkpoint",
          "{} is of another model, got {} tensors, expected {}", path, file.tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) file.restore(name, tensor);
  if (optimizer != nullptr) {
    const auto found = file.metadata.find(steps_key);
    std::int64_t steps = -1;
    if (found != file.metadata.end()) {
      const std::string& text = found->second;
      std::from_chars(text.data(), text.data() + text.size(), steps);
    }
    require(steps >= 0, "checkpoint", "{} does not say how many steps were made", path);
    optimizer->set_steps(steps);
  }
}

std::string with_suffix(const std::string& path, const char* suffix) {
  fs::path changed(path);
  const std::string extension = changed.extension();
  return changed.replace_extension(suffix + extension).string();
}

}  // namespace

void save_checkpoint(const std::string& path, const nn::ParameterStore& store,
                     const optim::Optimizer* optimizer, const Named& extra,
                     const std::map<std::string, std::string>& facts) {
  SafeTensors file;
  file.metadata = facts;
  if (optimizer != nullptr) file.metadata[steps_key] = std::to_string(optimizer->steps());
  for (const auto& [name, tensor] : contents(store, optimizer, extra)) file.add(name, tensor);
  file.metadata[checksum_key] = checksum_of(file);
  file.save(path);
}

std::map<std::string, std::string> load_checkpoint(const std::string& path, const nn::ParameterStore& store,
                                                   optim::Optimizer* optimizer, const Named& extra) {
  const SafeTensors file = read_checkpoint(path);
  restore(file, path, store, optimizer, extra);
  return file.metadata;
}

std::string previous_checkpoint(const std::string& path) { return with_suffix(path, ".previous"); }

CheckpointPair::CheckpointPair(std::string path, const nn::ParameterStore& store, optim::Optimizer* optimizer,
                               Named extra)
    : path_(std::move(path)), store_(store), optimizer_(optimizer), extra_(std::move(extra)) {}

void CheckpointPair::save(const Facts& facts) const {
  const std::string previous = previous_checkpoint(path_);
  // One file under both names: a kill came between the two steps below.
  const bool kept = fs::exists(path_) && fs::exists(previous) && fs::equivalent(path_, previous);
  if (fs::exists(path_) && !kept) {
    // A second name for the file, put in place by a rename: neither name is ever without a whole file.
    // Where there are no hard links, a copy does.
    const std::string temporary = previous + ".tmp" + std::to_string(::getpid());
    std::error_code error;
    fs::create_hard_link(path_, temporary, error);
    if (error) fs::copy_file(path_, temporary, fs::copy_options::overwrite_existing, error);
    if (!error) fs::rename(temporary, previous, error);
    if (error) {
      std::error_code ignored;
      fs::remove(temporary, ignored);
      fail("checkpoint", "cannot keep {}: {}", path_, error.message());
    }
  }
  save_checkpoint(path_, store_, optimizer_, extra_, facts);
}

std::optional<CheckpointPair::Facts> CheckpointPair::load(const Facts& same, const Report& report) const {
  for (const std::string& path : {path_, previous_checkpoint(path_)}) {
    if (!fs::exists(path)) continue;
    std::optional<SafeTensors> file;
    try {
      file = read_checkpoint(path);
    } catch (const Error& error) {
      report(fmt::format("{}; going on from what was saved before it", error.what()));
      fs::rename(path, with_suffix(path_, ".damaged"));  // so that it cannot take the other's place
      continue;
    }
    const auto fits = [&](const auto& fact) {
      const auto found = file->metadata.find(fact.first);
      return found != file->metadata.end() && found->second == fact.second;
    };
    if (!std::all_of(same.begin(), same.end(), fits)) return std::nullopt;
    restore(*file, path, store_, optimizer_, extra_);
    return file->metadata;
  }
  return std::nullopt;
}

}  // namespace adwp::io
