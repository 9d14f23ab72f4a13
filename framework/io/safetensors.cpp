#include "framework/io/safetensors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"
#include "framework/io/json.h"
#include "framework/io/nesting.h"

namespace adwp::io {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_header = std::size_t{16} << 20;
constexpr std::int64_t most_file = std::int64_t{8} << 30;
constexpr std::size_t most_values = 1'000'000;  // of the header's JSON: some 100,000 tensors
constexpr int most_depth = 8;
constexpr std::size_t length_bytes = 8;  // the header's length stands before it

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
    if (extents[i] > 0 && product > most_file / extents[i]) {
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

// From the file's first bytes, whose size is known.
std::size_t header_length(std::string_view start, std::size_t file_bytes, const std::string& path) {
  if (file_bytes < length_bytes) reject(path, "{} bytes are no header", file_bytes);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length |= std::uint64_t{static_cast<unsigned char>(start[i])} << (8 * i);
  }
  if (length > most_header || length > file_bytes - length_bytes) reject(path, "header of {} bytes", length);
  return length;
}

Json read_header(std::string_view text, const std::string& path) {
  if (json_exceeds(text, most_depth, most_values)) reject(path, "header nested too deeply, or too long");
  try {
    Json header = parse_json(text);  // a name twice would silently hide a tensor
    if (!header.is_object()) reject(path, "header is not a JSON object");
    return header;
  } catch (const BadJson& bad) {
    reject(path, "header: {}", bad.what());
  }
}

void read_metadata(const Json& entries, const std::string& path, SafeTensors& file) {
  if (!entries.is_object()) reject(path, "metadata");
  for (const auto& [key, value] : entries.items()) {
    if (!value.is_string()) reject(path, "metadata '{}'", key);
    file.metadata[key] = value.get<std::string>();
  }
}

// Where a tensor's bytes stand.
struct Place {
  HostTensor* tensor;
  std::size_t begin, bytes;
};

Place read_entry(const Json& entry, const std::string& name, std::size_t data_bytes, const std::string& path,
                 HostTensor& tensor) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    reject(path, "entry '{}'", name);
  }
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
  const std::size_t expected = tensor.shape.elements() * size_of(tensor.dtype);
  if (begin > end || end > data_bytes || end - begin != expected) {
    reject(path, "data of '{}' from {} to {}, expected {} bytes of {}", name, begin, end, expected,
           data_bytes);
  }
  return {&tensor, begin, end - begin};
}

// Metadata and tensors, their bytes still to be filled in: side by side, in the order given back.
std::vector<Place> read_header(std::string_view text, std::size_t data_bytes, const std::string& path,
                               SafeTensors& file) {
  const Json header = read_header(text, path);
  std::vector<Place> places;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      read_metadata(entry, path, file);
    } else {
      places.push_back(read_entry(entry, name, data_bytes, path, file.tensors[name]));
    }
  }
  std::erase_if(places, [](const Place& place) { return place.bytes == 0; });
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
  std::size_t covered = 0;
  for (const Place& place : places) {
    if (place.begin != covered) reject(path, "gap or overlap at byte {}", covered);
    covered += place.bytes;
  }
  if (covered != data_bytes) reject(path, "{} bytes that belong to no tensor", data_bytes - covered);
  return places;
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
  if (tensor.arena().counting()) return;  // which holds no bytes
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

SafeTensors SafeTensors::load(const std::string& path) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  const std::uintmax_t size = regular ? std::filesystem::file_size(path, error) : 0;
  if (!regular || error) fail_usage("safetensors", "cannot read {}: no such file", path);
  require(size <= most_file, "safetensors", "{} is too large, got {} bytes, expected at most {}", path, size,
          most_file);
  std::ifstream file(path, std::ios::binary);
  const auto read = [&](void* bytes, std::size_t count) {
    file.read(static_cast<char*>(bytes), count);
    require(file.good(), "safetensors", "cannot read {}: {}", path, std::strerror(errno));
  };
  std::string start(std::min<std::size_t>(size, length_bytes), '\0');
  read(start.data(), start.size());
  std::string text(header_length(start, size, path), '\0');
  read(text.data(), text.size());
  SafeTensors result;
  for (const Place& place : read_header(text, size - length_bytes - text.size(), path, result)) {
    place.tensor->bytes.resize(place.bytes);
    read(place.tensor->bytes.data(), place.bytes);
  }
  return result;
}

SafeTensors SafeTensors::parse(std::string_view bytes, const std::string& path) {
  const std::size_t length = header_length(bytes, bytes.size(), path);
  const std::string_view text = bytes.substr(length_bytes, length);
  const std::string_view data = bytes.substr(length_bytes + length);
  const auto* from = reinterpret_cast<const std::byte*>(data.data());
  SafeTensors result;
  for (const Place& place : read_header(text, data.size(), path, result)) {
    place.tensor->bytes.assign(from, from + place.bytes);
    from += place.bytes;
  }
  return result;
}

}  // namespace adwp::io
