// The order in which a device does its work: a cudaStream_t, without CUDA's headers.
#pragma once

using Stream = void*;
