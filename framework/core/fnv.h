// FNV-1a, 64 bits (Fowler, Noll, Vo): a fingerprint that is the same on every machine.
//
// Each byte is mixed in by an invertible step, so that two inputs of equal length that differ in one byte
// always differ in their hash: what a checksum against bad disks needs. Not against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace adwp {

inline constexpr std::uint64_t fnv1a_start = 0xCBF29CE484222325u;

// Goes on from `hash`, so that pieces give what the whole gives.
inline std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = fnv1a_start) {
  for (std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3u;
  return hash;
}

inline std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = fnv1a_start) {
  return fnv1a(std::as_bytes(std::span(text.data(), text.size())), hash);
}

}  // namespace adwp
