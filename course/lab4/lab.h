// Lab 4: what encoding.cpp defines, and the encoding with a fault.
#pragma once

#include <vector>

#include "nas/space/search_space.h"

namespace lab {

// An architecture of the space as numbers: of one length for all architectures of a space, and never the same
// for two different ones. A small change of the architecture changes few numbers.
std::vector<float> encode(const adwp::nas::SearchSpace& space, const adwp::nas::Architecture& architecture);

// The same, somebody's first attempt (faulty_encoding.h).
std::vector<float> faulty_encode(const adwp::nas::SearchSpace& space,
                                 const adwp::nas::Architecture& architecture);

}  // namespace lab
