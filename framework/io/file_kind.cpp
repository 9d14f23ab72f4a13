// What files are that were meant to be something else: of a download that failed, of an archive that nobody
// unpacked.
#include "framework/io/file_kind.h"

#include <algorithm>
#include <cctype>

namespace adwp::io {
namespace {

using namespace std::string_view_literals;

// By its first bytes.
struct Signature {
  std::size_t at;
  std::string_view bytes;
  const char* what;
};
constexpr Signature signatures[] = {
    {0, "\x1F\x8B"sv, "compressed by gzip; gunzip it"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS, not the file; run `git lfs pull`"},
    {0, "PK\x03\x04"sv, "a ZIP archive; unpack it"},
    {0, "BZh"sv, "compressed by bzip2; unpack it"},
    {0,
     "\xFD"
     "7zXZ"sv,
     "compressed by xz; unpack it"},
    {0, "II*\0"sv, "a TIFF, which is not read; convert it to PNG"},
    {0, "MM\0*"sv, "a TIFF, which is not read; convert it to PNG"},
    {4, "ftypavif"sv, "an AVIF, which is not read; convert it to PNG"},
    {4, "ftyphei"sv, "a HEIC, which is not read; convert it to JPEG"},
    {4, "ftypmif1"sv, "a HEIC, which is not read; convert it to JPEG"},
    {0, "\0\0\0\x0CjP"sv, "a JPEG 2000, which is not read; convert it to PNG"},
    {0, "\xFF\x0A"sv, "a JPEG XL, which is not read; convert it to PNG"},
    {0, "8BPS"sv, "a Photoshop file, which is not read; convert it to PNG"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {4, "ftypavis"sv, "an AVIF, which is not read; convert it to PNG"},
    {4, "ftypmsf1"sv, "a HEIC, which is not read; convert it to JPEG"},
    {4, "ftyp"sv, "a film (MP4 or QuickTime)"},
    {0, "\x1A\x45\xDF\xA3"sv, "a film (WebM or Matroska)"},
    {0, "\0\0\0\x0CJXL"sv, "a JPEG XL, which is not read; convert it to PNG"},
    {0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000, which is not read; convert it to PNG"},
    {0, "\0\0\x01\0"sv, "an icon (ICO), which is not read; convert it to PNG"},
    {0, "\x76\x2F\x31\x01"sv, "an OpenEXR, which is not read; convert it to PNG"},
    {128, "DICM"sv, "a DICOM, which is not read; convert it to PNG"},
    {0, "Rar!"sv, "a RAR archive; unpack it"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive; unpack it"},
    {0, "\x28\xB5\x2F\xFD"sv, "compressed by zstd; unpack it"},
    {257, "ustar"sv, "a tar archive; unpack it"},
    {0, "\xFF\xFE"sv, "text (UTF-16)"},
    {0, "\x89PNG"sv, "a PNG picture"},
    {0, "\xFF\xD8\xFF"sv, "a JPEG picture"},
    {0, "%PDF"sv, "a PDF"},
    {0, "\0\x05\x16\x07"sv, "metadata of macOS (AppleDouble)"},
    {0, "SQLite format"sv, "a database"},
    {0,
     "\x7F"
     "ELF"sv,
     "a program"},
};

bool is_markup(std::string_view head, std::string& what) {
  std::string text(head.begin(), head.begin() + std::min<std::size_t>(head.size(), 512));
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::size_t begin = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (begin == text.npos || text[begin] != '<') return false;
  what = text.find("<svg") != text.npos   ? "an SVG drawing, which is not read; convert it to PNG"
         : text.find("html") != text.npos ? "a web page (HTML); download it again"
                                          : "XML text or a part of a web page; download it again";
  return true;
}

}  // namespace

std::string known_kind(std::string_view head) {
  if (head.empty()) return "empty (0 bytes); copy or download it again";
  for (const Signature& signature : signatures) {
    if (head.substr(std::min(signature.at, head.size())).starts_with(signature.bytes)) return signature.what;
  }
  std::string markup;
  if (is_markup(head, markup)) return markup;
  if (head.find_first_not_of('\0') == head.npos)
    return "all zeros: it was never written, or its disk lost it";
  return "";
}

}  // namespace adwp::io
