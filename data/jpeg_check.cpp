#include "data/jpeg_check.h"

namespace adwp::data {
namespace {

constexpr int most_scans = 100;
constexpr int most_codes = 256;

// Goes from marker to marker as the decoder does: bytes between segments and in scans are passed over, fill
// bytes (0xFF) too, and past the end stand zeros.
class Markers {
 public:
  explicit Markers(std::span<const std::uint8_t> file) : file_(file) {}

  bool at_end() const { return at_ >= file_.size(); }
  int byte() { return at_ < file_.size() ? file_[at_++] : 0; }
  int next() {
    while (!at_end() && byte() != 0xFF) {
    }
    int marker = 0xFF;
    while (!at_end() && marker == 0xFF) marker = byte();
    return marker;
  }
  int length() {
    const int high = byte();
    return high << 8 | byte();
  }
  void skip(int bytes) { at_ += bytes > 0 ? bytes : 0; }

 private:
  std::span<const std::uint8_t> file_;
  std::size_t at_ = 0;
};

bool tables_overflow(Markers& markers) {
  for (int left = markers.length() - 2; left > 0;) {
    markers.byte();  // which table
    int codes = 0;
    for (int bits = 1; bits <= 16; ++bits) codes += markers.byte();
    if (codes > most_codes) return true;
    markers.skip(codes);
    left -= 17 + codes;
  }
  return false;
}

}  // namespace

std::string_view jpeg_fault(std::span<const std::uint8_t> file) {
  enum Marker { tables = 0xC4, first_frame = 0xC0, restart = 0xD0, end = 0xD9, scan = 0xDA };
  Markers markers(file);
  int scans = 0;
  while (!markers.at_end()) {
    const int marker = markers.next();
    if (marker == tables) {
      if (tables_overflow(markers)) return "a Huffman table of more than 256 codes";
    } else if (marker == scan) {
      if (++scans > most_scans) return "more than 100 scans";
    } else if (marker == end) {
      break;
    } else if (marker >= first_frame && (marker < restart || marker > end)) {
      markers.skip(markers.length() - 2);
    }
  }
  return {};
}

}  // namespace adwp::data
