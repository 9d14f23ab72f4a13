// The operators' cases (bench/cases/operator_case.h), each with its oracle.
#pragma once

#include "bench/cases/operator_case.h"
#include "tests/oracle/oracle.h"

namespace adwp::test {

using bench::Operand;
using bench::OperatorCase;

// Every operator of framework/ops, on the shapes of the design: 1 x 1 images, odd sizes, channels
// that fill no tile, batch 1, stride 2, all activations, empty tensors.
std::vector<OperatorCase> convolution_cases();
std::vector<OperatorCase> normalization_cases();
std::vector<OperatorCase> elementwise_cases();
std::vector<OperatorCase> pooling_cases();
std::vector<OperatorCase> matrix_cases();        // linear, cross-entropy
std::vector<OperatorCase> hypernetwork_cases();  // embedding sum, assemble
std::vector<OperatorCase> all_cases();

}  // namespace adwp::test
