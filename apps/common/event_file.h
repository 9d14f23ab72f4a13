// Event files, which TensorBoard draws: scalars by tag and step.
//
// A file is a sequence of TFRecords (length, its checksum, bytes, their checksum); the bytes are an Event of
// event_file.proto. A process never writes into another's file: it begins the next one, and TensorBoard reads
// the files of a folder in the order of their names.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace adwp::apps {

class EventFile {
 public:
  // Throws a usage Error when this build cannot write event files because it has no protobuf.
  static void require_supported();

  // Begins a file in `folder`, which is made.
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();

  // Writes one event, and hands it to the system at once: a kill does not lose it (a power cut may). Leaves
  // out a tag that an earlier event has for this step or for a later one: a run that was resumed repeats
  // steps, with the same values. Throws an Error when it cannot be written.
  void write(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void append(const std::string& event);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::string, std::int64_t> last_step_;  // by tag
};

// CRC-32C (Castagnoli), and as TFRecords store it: rotated and shifted, for a checksum of bytes that hold
// checksums is weak.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

// One TFRecord.
std::string frame_record(std::string_view bytes);
// The records of a file, up to the first that is damaged or cut off.
std::vector<std::string> read_records(std::string_view file);

}  // namespace adwp::apps
