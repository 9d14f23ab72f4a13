// What a file is, for messages on files that are not what they should be.
#pragma once

#include <string>
#include <string_view>

namespace adwp::io {

// By its first bytes, of which 512 are enough: "a web page (HTML); download it again", "compressed by gzip;
// gunzip it", "empty (0 bytes); ...". Empty for kinds that are not known, and for text.
std::string known_kind(std::string_view head);

}  // namespace adwp::io
