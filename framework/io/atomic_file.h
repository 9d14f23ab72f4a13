// Files as a whole: written so that they are there completely or not at all, and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adwp::io {

// Writes to a temporary name in the same folder, flushes to the disk, renames. Throws Error with the
// path and the system's reason; then the temporary file is gone and what stood at `path` is as it was.
void write_atomically(const std::string& path, std::span<const std::byte> bytes);
void write_atomically(const std::string& path, std::string_view text);

// In a few words, of a path that is no regular file: "no such file", "it is a folder", "Permission denied",
// ...
std::string why_no_file(const std::string& path);

// The whole file; throws Error when it cannot be read or exceeds `most` bytes.
std::vector<std::uint8_t> read_bytes(const std::string& path, std::size_t most);
std::string read_text(const std::string& path, std::size_t most = std::size_t{16} << 20);

}  // namespace adwp::io
