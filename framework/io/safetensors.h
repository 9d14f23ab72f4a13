// The safetensors format: eight bytes with the header's length (little-endian), a JSON header, then
// the raw little-endian data of all tensors without gaps.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/tensor.h"

namespace adwp::io {

struct HostTensor {
  Shape shape;
  DType dtype = DType::f32;
  std::vector<std::byte> bytes;
};

struct SafeTensors {
  std::map<std::string, HostTensor> tensors;
  std::map<std::string, std::string> metadata;

  // Takes a device tensor in; waits for the device.
  void add(const std::string& name, const Tensor& tensor);
  // Copies a stored tensor to the device. Throws when it is missing or of another shape or dtype.
  void restore(const std::string& name, const Tensor& tensor) const;

  void save(const std::string& path) const;  // atomically
  // Strict: throws Error naming the file when anything about it is not as the format says (header
  // over 16 MiB or of a million values, unknown dtype, more than four dimensions, gaps, overlaps, sizes that
  // do not fit).
  static SafeTensors load(const std::string& path);
  static SafeTensors parse(std::string_view bytes, const std::string& path);
};

}  // namespace adwp::io
