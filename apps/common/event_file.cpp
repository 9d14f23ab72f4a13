#include "apps/common/event_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "framework/core/error.h"
#include "framework/io/atomic_file.h"

#if defined(ADWP_HAS_PROTOBUF)
#include "event_file.pb.h"  // made from event_file.proto
#endif

namespace adwp::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t header_bytes = 12, footer_bytes = 4;
constexpr const char* name_start = "events.out.tfevents.";
constexpr std::size_t most_bytes = std::size_t{1} << 30;  // of a file to read

template <typename T>
void append_little_endian(std::string& text, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
}

template <typename T>
T little_endian(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

// By name, which is the order they were written in.
std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(name_start)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> rest{};  // of a byte, divided by the polynomial, bits reversed
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
      rest[byte] = value;
    }
    return rest;
  }();
  std::uint32_t crc = ~0u;
  for (char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

std::string frame_record(std::string_view bytes) {
  std::string record;
  append_little_endian(record, std::uint64_t{bytes.size()});
  append_little_endian(record, masked_crc32c(record));
  record += bytes;
  append_little_endian(record, masked_crc32c(bytes));
  return record;
}

std::vector<std::string> read_records(std::string_view file) {
  std::vector<std::string> records;
  while (file.size() >= header_bytes + footer_bytes) {
    const auto length = little_endian<std::uint64_t>(file);
    if (little_endian<std::uint32_t>(file.substr(8)) != masked_crc32c(file.substr(0, 8))) break;
    if (length > file.size() - header_bytes - footer_bytes) break;
    const std::string_view bytes = file.substr(header_bytes, length);
    file.remove_prefix(header_bytes + length);
    if (little_endian<std::uint32_t>(file) != masked_crc32c(bytes)) break;
    file.remove_prefix(footer_bytes);
    records.emplace_back(bytes);
  }
  return records;
}

EventFile::~EventFile() = default;

void EventFile::append(const std::string& event) {
  const std::string record = frame_record(event);
  const bool written = std::fwrite(record.data(), 1, record.size(), file_.get()) == record.size() &&
                       std::fflush(file_.get()) == 0;
  require(written, "tensorboard", "cannot write {}: {}", path_.string(),
          std::generic_category().message(errno));
}

#if defined(ADWP_HAS_PROTOBUF)

namespace {

events::Event event_now() {
  events::Event event;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();  // people want the hour
  event.set_wall_time(std::chrono::duration<double>(since_1970).count());
  return event;
}

// The last step of each tag in a file.
void read_steps(const fs::path& path, std::map<std::string, std::int64_t>& last_step) {
  for (const std::string& record : read_records(io::read_text(path.string(), most_bytes))) {
    events::Event event;
    if (!event.ParseFromString(record)) continue;
    for (const events::Value& value : event.summary().value()) {
      const auto [known, is_new] = last_step.try_emplace(value.tag(), event.step());
      if (!is_new) known->second = std::max<std::int64_t>(known->second, event.step());
    }
  }
}

}  // namespace

void EventFile::require_supported() {}

EventFile::EventFile(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error, "tensorboard", "cannot create {}: {}", folder.string(), error.message());
  const std::vector<fs::path> earlier = event_files(folder);
  for (const fs::path& path : earlier) read_steps(path, last_step_);
  std::size_t number = earlier.size();
  do path_ = folder / fmt::format("{}{:06}.adwpnas", name_start, number++);
  while (fs::exists(path_));
  file_.reset(std::fopen(path_.c_str(), "wb"));
  require(file_ != nullptr, "tensorboard", "cannot create {}: {}", path_.string(),
          std::generic_category().message(errno));
  events::Event first = event_now();
  first.set_file_version("brain.Event:2");
  append(first.SerializeAsString());
}

void EventFile::write(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  events::Event event = event_now();
  event.set_step(step);
  for (const auto& [tag, number] : scalars) {
    const auto known = last_step_.find(tag);
    if (known != last_step_.end() && known->second >= step) continue;
    last_step_[tag] = step;
    events::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(tag);
    value.set_simple_value(static_cast<float>(number));
  }
  if (event.has_summary()) append(event.SerializeAsString());
}

#else

void EventFile::require_supported() {
  fail_usage("tensorboard", "this build writes no event files: protobuf was not found when it was made");
}

EventFile::EventFile(const fs::path&) { require_supported(); }

void EventFile::write(std::int64_t, const std::vector<std::pair<std::string, double>>&) {}

#endif

}  // namespace adwp::apps
