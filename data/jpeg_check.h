// What stb_image takes on trust in a JPEG. Internal to data/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace adwp::data {

// Why the file must not be decoded, or nothing:
//   a Huffman table of more than 256 codes, which stb_image writes behind the end of its own;
//   more than 100 scans: each passes over the whole image, however few bytes it has (10 are usual).
std::string_view jpeg_fault(std::span<const std::uint8_t> file);

}  // namespace adwp::data
