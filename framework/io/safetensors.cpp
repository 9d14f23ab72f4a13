#include "framework/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/json_depth.h"

namespace adwp::io {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_header = std::size_t{16} << 20;
constexpr std::size_t most_file = std::size_t{8} << 30;

constexpr std::pair<DType, const char*> dtype_names[] = {
    {DType::f32, "F32"}, {DType::u8, "U8"}, {DType::i32, "I32"}};

const char* text_of(DType dtype) {
  for (const auto& [known, name] : dtype_names) {
    if (known == dtype) return name;
  }
  return "?";
}

template <typename... Args>
[[noreturn]] void reject(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
  fail("safetensors", "{} is damaged: {}", path, fmt::format(format, std::forward<Args>(args)...));
}

Shape read_shape(const Json& json, const std::string& name, const std::string& path) {
  if (!json.is_array() || json.size() > Shape::max_rank) reject(path, "shape of '{}'", name);
  std::int64_t extents[Shape::max_rank] = {};
  std::int64_t product = 1;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (!json[i].is_number_unsigned() || json[i].get<std::uint64_t>() > most_file) {
      reject(path, "shape of '{}'", name);
    }
    extents[i] = json[i].get<std::int64_t>();
    if (extents[i] > 0 && product > static_cast<std::int64_t>(most_file) / extents[i]) {
      reject(path, "shape of '{}'", name);
    }
    product *= extents[i];
  }
  switch (json.size()) {
    case 0:
      return Shape{};
    case 1:
      return Shape{extents[0]};
    case 2:
      return Shape{extents[0], extents[1]};
    case 3:
      return Shape{extents[0], extents[1], extents[2]};
    default:
      return Shape{extents[0], extents[1], extents[2], extents[3]};
  }
}

}  // namespace

void SafeTensors::add(const std::string& name, const Tensor& tensor) {
  HostTensor host{tensor.shape(), tensor.dtype(), std::vector<std::byte>(tensor.bytes())};
  tensor.arena().memory().read(host.bytes.data(), tensor.address(), tensor.bytes());
  tensors[name] = std::move(host);
}

void SafeTensors::restore(const std::string& name, const Tensor& tensor) const {
  const auto found = tensors.find(name);
  require(found != tensors.end(), "checkpoint", "no tensor '{}' in it", name);
  const HostTensor& host = found->second;
  require(host.shape == tensor.shape() && host.dtype == tensor.dtype(), "checkpoint",
          "'{}' does not fit, got {} {}, expected {}", name, text_of(host.dtype), host.shape.text(),
          tensor.text());
  tensor.arena().memory().write(tensor.address(), host.bytes.data(), host.bytes.size());
}

void SafeTensors::save(const std::string& path) const {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    Json extents = Json::array();
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) extents.push_back(tensor.shape[axis]);
    header[name] = {{"dtype", text_of(tensor.dtype)},
                    {"shape", extents},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begins aligned
  std::vector<std::byte> bytes(8 + text.size() + offset);
  const std::uint64_t length = text.size();
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(length >> (8 * i));
  std::memcpy(bytes.data() + 8, text.data(), text.size());
  std::size_t at = 8 + text.size();
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.bytes.empty()) std::memcpy(bytes.data() + at, tensor.bytes.data(), tensor.bytes.size());
    at += tensor.bytes.size();
  }
  write_atomically(path, bytes);
}

SafeTensors SafeTensors::load(const std::string& path) { return parse(read_text(path, most_file), path); }

SafeTensors SafeTensors::parse(std::string_view bytes, const std::string& path) {
  if (bytes.size() < 8) reject(path, "{} bytes are no header", bytes.size());
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    length |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  if (length > most_header || length > bytes.size() - 8) reject(path, "header of {} bytes", length);
  const std::string_view text = bytes.substr(8, length);
  const std::string_view data = bytes.substr(8 + length);
  if (nested_deeper(text, 8)) reject(path, "header nested too deeply");
  // A name twice would silently hide a tensor: the parser is told to object.
  std::vector<std::string> seen;
  bool twice = false;
  const Json header = Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::key && depth == 1) {
          const auto key = parsed.get<std::string>();
          twice = twice || std::find(seen.begin(), seen.end(), key) != seen.end();
          seen.push_back(key);
        }
        return true;
      },
      false);
  if (header.is_discarded() || !header.is_object()) reject(path, "header is not a JSON object");
  if (twice) reject(path, "a name stands twice");

  SafeTensors result;
  std::map<std::size_t, std::size_t> ranges;  // begin -> end
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) reject(path, "metadata");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) reject(path, "metadata '{}'", key);
        result.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets")) {
      reject(path, "entry '{}'", name);
    }
    HostTensor tensor;
    bool known = false;
    for (const auto& [dtype, text_name] : dtype_names) {
      if (entry["dtype"] == text_name) tensor.dtype = dtype, known = true;
    }
    if (!known) reject(path, "dtype of '{}'", name);
    tensor.shape = read_shape(entry["shape"], name, path);
    const Json& offsets = entry["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      reject(path, "offsets of '{}'", name);
    }
    const auto begin = offsets[0].get<std::size_t>(), end = offsets[1].get<std::size_t>();
    const std::size_t expected = static_cast<std::size_t>(tensor.shape.elements()) * size_of(tensor.dtype);
    if (begin > end || end > data.size() || end - begin != expected) {
      reject(path, "data of '{}' from {} to {}, expected {} bytes of {}", name, begin, end, expected,
             data.size());
    }
    if (begin != end && !ranges.emplace(begin, end).second) reject(path, "data of '{}' overlaps", name);
    const auto* first = reinterpret_cast<const std::byte*>(data.data());
    tensor.bytes.assign(first + begin, first + end);
    result.tensors[name] = std::move(tensor);
  }
  std::size_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) reject(path, "gap or overlap at byte {}", covered);
    covered = end;
  }
  if (covered != data.size()) reject(path, "{} bytes that belong to no tensor", data.size() - covered);
  return result;
}

}  // namespace adwp::io
