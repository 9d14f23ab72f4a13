// Small data sets on disk, for tests of the readers and of the programs.
#pragma once

#include <filesystem>

namespace adwp::test {

// A PNG of one grey level; makes the folders above it.
void write_png(const std::filesystem::path& path, int width, int height, int level);
// `count` records of CIFAR-10's binary form; labels 0..9 in turn, pixel value batch + channel.
void write_cifar(const std::filesystem::path& path, int count, int batch);
// PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte in `folder`; labels 0..9 in turn.
void write_idx(const std::filesystem::path& folder, const std::string& prefix, int count, int height,
               int width);

}  // namespace adwp::test
