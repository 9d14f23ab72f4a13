// One network of the macro search space, as a value.
//
//   stem (3x3) -> stages of blocks -> head (1x1, optional) -> global average pool -> linear
//
// Self-contained: with an image size and a number of classes it can be built without its space.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/backend/specs.h"

namespace adwp::nas {

enum class BlockKind {
  dense,              // k x k convolution
  separable,          // depthwise k x k, then 1 x 1
  inverted_residual,  // 1 x 1 to expansion * width, depthwise k x k, 1 x 1 without activation
  projection,         // 1 x 1 without activation: only the change of shape that a first block has to make
};

// What a block computes. Text form: dense3, separable5, inverted3_e6, inverted5_e3_se, inverted3_e3_in,
// projection.
struct Operation {
  BlockKind kind = BlockKind::dense;
  int kernel = 3;               // 3, 5 or 7; projection: 1
  int expansion = 1;            // inverted_residual: 1 to 6; else 1
  bool squeeze_excite = false;  // inverted_residual only, on the expanded channels
  bool expands_input = false;   // inverted_residual only: expansion * channels that come in, not * width

  bool operator==(const Operation&) const = default;
  // A projection only where the shape changes.
  bool fits(int block) const { return block == 0 || kind != BlockKind::projection; }
  std::string text() const;
  static Operation from_text(const std::string& text);
};

// How a block's further input joins its predecessor's output.
enum class Join { none, add, concat };

struct Block {
  Operation operation;
  bool residual = false;  // the block's input is added to its output; never in block 0
  Join join = Join::none;
  // Which value joins, when join is not none: 0 is the stage's input, j > 0 the output of the
  // stage's j-th block (counted from 1), earlier than the predecessor: from < index of this block.
  int from = 0;

  bool operator==(const Block&) const = default;
};

struct Stage {
  int width = 0;   // output channels of every block
  int stride = 1;  // of block 0
  std::vector<Block> blocks;

  bool operator==(const Stage&) const = default;
};

struct Architecture {
  int stem_width = 0;
  int stem_stride = 1;
  std::vector<Stage> stages;
  int head_width = 0;  // 0: no head
  Activation activation = Activation::relu;

  bool operator==(const Architecture&) const = default;

  // Stable across runs, machines and versions of this library: FNV-1a of the canonical JSON.
  std::uint64_t hash() const;
  std::string id() const;  // the hash in 16 hexadecimal digits

  // Canonical JSON ({"version": 1, ...}); from_json names the path of an offending key, as in
  // `[architecture] stages[1].blocks[0].kernel: got 4, expected one of 3, 5, 7`.
  std::string to_json() const;
  static Architecture from_json(std::string_view text);
  static Architecture from_file(const std::string& path);  // names the file as well

  // Throws a usage Error when a field is out of its documented range.
  void validate() const;
};

}  // namespace adwp::nas
