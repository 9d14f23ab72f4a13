// EXIF 2.3, as far as the orientation: a TIFF header, then a directory of 12-byte entries.
#include <algorithm>
#include <iterator>

#include "data/decoders/decoder.h"

namespace adwp::data {
namespace {

constexpr std::size_t header_bytes = 8, entry_bytes = 12;
constexpr std::uint32_t orientation_tag = 0x0112, short_type = 3, long_type = 4;

class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), little_(bytes.size() > 1 && bytes[0] == 'I') {}

  // 0 beyond the end.
  std::uint32_t number(std::size_t at, int bytes) const {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) {
      const std::size_t place = at + (little_ ? bytes - 1 - i : i);
      value = value << 8 | (place < bytes_.size() ? bytes_[place] : 0);
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(Bytes exif) {
  constexpr std::uint8_t name[] = {'E', 'x', 'i',
                                   'f', 0,   0};  // as in JPEG; some put it into PNG and WebP too
  if (exif.size() > sizeof name && std::equal(std::begin(name), std::end(name), exif.begin())) {
    exif = exif.subspan(sizeof name);
  }
  if (exif.size() < header_bytes || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) return 1;
  const Tiff tiff(exif);
  if (tiff.number(2, 2) != 42) return 1;
  const std::size_t directory = tiff.number(4, 4), entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (entry + entry_bytes > exif.size()) return 1;
    const std::uint32_t type = tiff.number(entry + 2, 2);
    if (tiff.number(entry, 2) != orientation_tag || (type != short_type && type != long_type)) continue;
    const std::uint32_t orientation = tiff.number(entry + 8, type == short_type ? 2 : 4);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  }
  return 1;
}

}  // namespace adwp::data
