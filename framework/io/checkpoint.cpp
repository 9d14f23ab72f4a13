#include "framework/io/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "framework/core/error.h"
#include "framework/core/fnv.h"
#include "framework/io/atomic_file.h"
#include "framework/io/safetensors.h"

namespace adwp::io {
namespace {

namespace fs = std::filesystem;
using Named = std::vector<std::pair<std::string, Tensor>>;

const std::string steps_key = "optimizer.steps";
const std::string checksum_key = "checksum";
constexpr const char* interrupted = ".interrupted";

// The tensors of a checkpoint and their names in the file.
Named contents(const nn::ParameterStore& store, const optim::Optimizer* optimizer, const Named& extra) {
  Named all = extra;
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    all.emplace_back(store.entries()[i].name, store[i].value());
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

void verify(const StoredCheckpoint& stored) {
  const std::string expected = checksum_of(stored.file);
  const auto found = stored.file.metadata.find(checksum_key);
  const std::string got = found == stored.file.metadata.end() ? "none" : found->second;
  require(got == expected, "checkpoint", "{} is damaged: checksum, got {}, expected {}", stored.path, got,
          expected);
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
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
      if (error != std::errc() || end != text.data() + text.size()) steps = -1;
    }
    require(steps >= 0, "checkpoint", "{} does not say how many steps were made", path);
    optimizer->set_steps(steps);
  }
}

// A loss that is still finite can leave weights that are not: going on from them would be of no use.
void require_finite(const std::string& name, const HostTensor& tensor, const std::string& path) {
  if (tensor.dtype != DType::f32) return;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, tensor.bytes.data() + at, sizeof value);
    require(std::isfinite(value), "checkpoint",
            "'{}' has come to hold {}, so it is not saved to {}; lower the learning rate", name, value, path);
  }
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Nothing when there is none, or a damaged one.
std::optional<StoredCheckpoint> read_whole(const std::string& path, const OnDamage& on_damage) {
  if (!is_there(path)) return std::nullopt;
  try {
    return read_checkpoint(path);
  } catch (const Error& error) {
    on_damage(path, error);
    return std::nullopt;
  }
}

std::string with_suffix(const std::string& path, const char* suffix) {
  fs::path changed(path);
  const std::string extension = changed.extension();
  return changed.replace_extension(suffix + extension).string();
}

}  // namespace

void seal(SafeTensors& file) { file.metadata[checksum_key] = checksum_of(file); }

StoredCheckpoint read_stored(const std::string& path) {
  StoredCheckpoint stored{path, SafeTensors::load(path)};
  if (stored.file.metadata.contains(checksum_key)) verify(stored);
  return stored;
}

StoredCheckpoint read_checkpoint(const std::string& path) {
  StoredCheckpoint stored{path, SafeTensors::load(path)};
  verify(stored);
  return stored;
}

std::optional<StoredCheckpoint> read_newest(const std::string& path, const OnDamage& on_damage) {
  std::optional<StoredCheckpoint> newest = read_whole(path, on_damage);
  return newest ? std::move(newest) : read_whole(previous_checkpoint(path), on_damage);
}

void save_checkpoint(const std::string& path, const nn::ParameterStore& store,
                     const optim::Optimizer* optimizer, const Named& extra,
                     const std::map<std::string, std::string>& facts) {
  SafeTensors file;
  file.metadata = facts;
  if (optimizer != nullptr) file.metadata[steps_key] = std::to_string(optimizer->steps());
  for (const auto& [name, tensor] : contents(store, optimizer, extra)) file.add(name, tensor);
  for (const auto& [name, tensor] : file.tensors) require_finite(name, tensor, path);
  seal(file);
  file.save(path);
}

std::string previous_checkpoint(const std::string& path) { return with_suffix(path, ".previous"); }

namespace {

// Makes room for the next one at `path`: gives the one there its name as the previous one.
void keep_previous(const std::string& path) {
  const std::string previous = previous_checkpoint(path);
  // One file under both names: a kill came between this and the next save.
  std::error_code ignored;
  const bool kept = is_there(path) && is_there(previous) && fs::equivalent(path, previous, ignored);
  if (!is_there(path) || kept) return;
  // A second name for the file, put in place by a rename: neither name is ever without a whole file.
  // Where there are no hard links, a copy does.
  const std::string temporary = previous + ".tmp" + std::to_string(::getpid());
  std::error_code error;
  fs::create_hard_link(path, temporary, error);
  if (error) fs::copy_file(path, temporary, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(temporary, previous, error);
  if (error) {
    fs::remove(temporary, ignored);
    fail("checkpoint", "cannot keep {}: {}", path, error.message());
  }
}

void remove_interrupted(const std::string& checkpoint) {
  const std::string path = with_suffix(checkpoint, interrupted);
  std::error_code error;
  fs::remove(path, error);
  if (error) fail("checkpoint", "cannot remove {}: {}", path, error.message());
}

}  // namespace

void keep_checkpoint(const std::string& path, std::string_view bytes) {
  remove_interrupted(path);
  keep_previous(path);
  write_atomically(path, bytes);
}

CheckpointPair::CheckpointPair(std::string path, const nn::ParameterStore& store, optim::Optimizer* optimizer,
                               Named extra)
    : path_(std::move(path)), store_(store), optimizer_(optimizer), extra_(std::move(extra)) {}

void CheckpointPair::save_interrupted(const Facts& facts) const {
  save_checkpoint(with_suffix(path_, interrupted), store_, optimizer_, extra_, facts);
}

void CheckpointPair::discard_interrupted() const { remove_interrupted(path_); }

std::optional<std::string> CheckpointPair::newest() const {
  for (const std::string& path : {path_, previous_checkpoint(path_)}) {
    if (is_there(path)) return path;
  }
  return std::nullopt;
}

void CheckpointPair::save(const Facts& facts) const {
  discard_interrupted();  // first: it must never outlive the epoch it was made in
  keep_previous(path_);
  save_checkpoint(path_, store_, optimizer_, extra_, facts);
}

std::optional<CheckpointPair::Facts> CheckpointPair::load(const Facts& same, const Report& report) const {
  const OnDamage set_aside = [&](const std::string& damaged, const Error& error) {
    report(fmt::format("{}; going on from what was saved before it", error.what()));
    const std::string aside = with_suffix(path_, ".damaged");
    std::error_code reason;
    fs::rename(damaged, aside, reason);  // so that it cannot take the other's place
    if (reason) fail("checkpoint", "cannot rename {} to {}: {}", damaged, aside, reason.message());
  };
  const auto fits = [&](const StoredCheckpoint& stored) {
    return std::all_of(same.begin(), same.end(), [&](const auto& fact) {
      const auto found = stored.file.metadata.find(fact.first);
      return found != stored.file.metadata.end() && found->second == fact.second;
    });
  };
  std::optional<StoredCheckpoint> newest = read_whole(with_suffix(path_, interrupted), set_aside);
  // One of another training says nothing about this.
  if (!newest || !fits(*newest)) newest = read_newest(path_, set_aside);
  if (!newest || !fits(*newest)) return std::nullopt;
  restore(newest->file, newest->path, store_, optimizer_, extra_);
  return newest->file.metadata;
}

}  // namespace adwp::io
