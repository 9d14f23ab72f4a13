#include "framework/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "framework/core/error.h"

namespace adwp::io {
namespace {

// A descriptor that closes itself.
struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes = bytes.subspan(written);
  }
  return true;
}

bool flush_folder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const File file{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return file.descriptor >= 0 && ::fsync(file.descriptor) == 0;
}

template <typename Bytes>
Bytes read_whole(const std::string& path, std::size_t most) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  const std::uintmax_t size = regular ? std::filesystem::file_size(path, error) : 0;
  if (!regular || error) fail_usage("file", "cannot read {}: {}", path, why_no_file(path));
  if (size > most) fail_usage("file", "{} is too large, got {} bytes, expected at most {}", path, size, most);
  std::ifstream file(path, std::ios::binary);
  Bytes bytes(size, 0);
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!file) fail("file", "cannot read {}: {}", path, std::strerror(errno));
  return bytes;
}

}  // namespace

std::string why_no_file(const std::string& path) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  using enum std::filesystem::file_type;
  if (type == not_found) return "no such file";
  if (type == directory) return "it is a folder";
  if (error || type == none || type == unknown) return error.message();  // often: permission denied
  return "it is no regular file but a pipe, socket or device";
}

void write_atomically(const std::string& path, std::span<const std::byte> bytes) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    fail("file", "cannot write {}: it is no regular file", path);  // a rename would replace /dev/null
  }
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  bool written = false;
  {
    const File file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    written = file.descriptor >= 0 && write_all(file.descriptor, bytes) && ::fsync(file.descriptor) == 0;
  }
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0 || !flush_folder(path)) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    fail("file", "cannot write {}: {}", path, std::strerror(reason));
  }
}

void write_atomically(const std::string& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span(text.data(), text.size())));
}

std::vector<std::uint8_t> read_bytes(const std::string& path, std::size_t most) {
  return read_whole<std::vector<std::uint8_t>>(path, most);
}

std::string read_text(const std::string& path, std::size_t most) {
  return read_whole<std::string>(path, most);
}

}  // namespace adwp::io
