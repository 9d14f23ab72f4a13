// The PTX that nvcc put into a program.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace adwp::executor {

// The texts of a fat binary by architecture (80: sm_80). Throws std::runtime_error for compressed ones: nvcc
// compresses unless told --no-compress.
std::map<std::uint32_t, std::string> ptx_of(const void* fat_binary);

}  // namespace adwp::executor
