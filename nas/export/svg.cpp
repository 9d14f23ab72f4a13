#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "nas/export/export.h"

namespace adwp::nas {
namespace {

// Pixels. Boxes stand below each other, centred on `axis`.
constexpr int axis = 205, least_box = 170, most_box = 250, box_height = 24, gap = 22;

struct Box {
  std::string text;
  std::int64_t channels = 0;
  const char* colour = "gray";
  int top = 0, half = 0;  // place: upper edge, half the width

  int bottom() const { return top + box_height; }
};

const char* colour_of(BlockKind kind) {
  switch (kind) {
    case BlockKind::dense:
      return "#c8553d";
    case BlockKind::separable:
      return "#2a7f9e";
    case BlockKind::inverted_residual:
      return "#5b8c3a";
    case BlockKind::projection:
      return "#8a95a3";
  }
  return "gray";
}

std::string text_of(const Operation& operation) {
  switch (operation.kind) {
    case BlockKind::dense:
      return fmt::format("dense {0}×{0}", operation.kernel);
    case BlockKind::separable:
      return fmt::format("separable {0}×{0}", operation.kernel);
    case BlockKind::inverted_residual:
      return fmt::format("inverted {0}×{0} e{1}{2}{3}", operation.kernel, operation.expansion,
                         operation.expands_input ? " of input" : "", operation.squeeze_excite ? " SE" : "");
    case BlockKind::projection:
      return "projection 1×1";
  }
  return "?";
}

class Drawing {
 public:
  explicit Drawing(const NetworkPlan& plan) : plan_(plan) {
    const Architecture& a = plan.architecture;
    most_channels_ = std::max(a.stem_width, a.head_width);
    for (const Stage& stage : a.stages) most_channels_ = std::max(most_channels_, stage.width);
  }

  std::string run() {
    const Architecture& a = plan_.architecture;
    Box previous = box("stem 3×3", a.stem_width, "#8a6fb0");
    resolution("stem");
    for (std::size_t s = 0; s < a.stages.size(); ++s) previous = stage(a.stages[s], s, previous);
    if (a.head_width > 0) arrow(std::exchange(previous, box("head 1×1", a.head_width, "#8a6fb0")), previous);
    arrow(previous, box("pool, linear", plan_.task.classes, "#8a6fb0"));
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"sans-serif\" font-size=\"12\" fill=\"currentColor\" role=\"img\">\n"
        "<title>Network {2}: {3} parameters, {4} multiply-accumulates</title>\n{5}</svg>\n",
        rightmost_ + 8, y_ - gap + 4, plan_.architecture.id(), plan_.parameters(), plan_.macs(), body_);
  }

 private:
  int half_of(std::int64_t channels) const {
    return (least_box +
            (most_box - least_box) * std::min<std::int64_t>(channels, most_channels_) / most_channels_) /
           2;
  }

  // From the axis at y1 out to x, along to y2 and back; `side` is 1 where x lies left of the axis, else -1.
  static std::string bracket(int y1, int y2, int x, int side) {
    const int r = 6 * side;
    return fmt::format("M{0} {1}H{2}q{3} 0 {3} 6V{4}q0 6 {5} 6H{0}", axis, y1, x + r, -r, y2 - 6, r);
  }

  // Where a curve from y1 to y2 meets no other; `lanes` holds how far down each is taken.
  static int free_lane(std::vector<int>& lanes, int y1, int y2) {
    int lane = 0;
    while (lane < std::ssize(lanes) && lanes[lane] > y1) ++lane;
    if (lane == std::ssize(lanes)) lanes.push_back(0);
    lanes[lane] = y2;
    return lane;
  }

  Box box(const std::string& text, std::int64_t channels, const char* colour) {
    Box result{text, channels, colour, y_, half_of(channels)};
    body_ += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{}\" fill-opacity=\".2\" "
        "stroke=\"{}\"/>\n<text x=\"{}\" y=\"{}\">{}</text>\n<text x=\"{}\" y=\"{}\" "
        "text-anchor=\"end\">{}</text>\n",
        axis - result.half, result.top, 2 * result.half, box_height, colour, colour, axis - result.half + 8,
        result.top + 16, text, axis + result.half - 8, result.top + 16, channels);
    y_ += box_height + gap;
    rightmost_ = std::max(rightmost_, axis + result.half);
    return result;
  }

  void line(const std::string& path, const char* more = "") {
    body_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"currentColor\"{}/>\n", path, more);
  }

  void arrow(const Box& from, const Box& to) {
    line(fmt::format("M{0} {1}V{2}m-3 -4l3 4l3 -4", axis, from.bottom(), to.top));
  }

  // Beside the box drawn last: the size of the image there, which the plan knows by the layer's prefix.
  void resolution(const std::string& prefix) {
    std::int64_t size = 0;
    for (const LayerSpec& layer : plan_.layers) {
      if (layer.name.starts_with(prefix) && layer.role != LayerRole::squeeze &&
          layer.role != LayerRole::excite) {
        size = layer.out_size;
      }
    }
    body_ += fmt::format("<text x=\"4\" y=\"{}\" opacity=\".7\">{}×{}</text>\n", y_ - gap - 8, size, size);
  }

  Box stage(const Stage& stage, std::size_t s, const Box& input) {
    std::vector<Box> values{input};  // as Block::from counts them
    std::vector<int> lanes;
    const int widest = std::max(input.half, half_of(stage.width));
    for (std::size_t b = 0; b < stage.blocks.size(); ++b) {
      const Block& block = stage.blocks[b];
      values.push_back(box(text_of(block.operation), stage.width, colour_of(block.operation.kind)));
      if (b == 0) resolution(fmt::format("stage{}.block0.", s));
      const Box& from = values[values.size() - 2];
      const Box& to = values.back();
      arrow(from, to);
      if (block.residual) {  // from above the box, around its left, to below it
        line(bracket(to.top - 6, to.bottom() + 6, axis - to.half - 18, 1), " stroke-dasharray=\"3 3\"");
      }
      if (block.join != Join::none) {
        const Box& earlier = values[block.from];
        const int lane = free_lane(lanes, earlier.bottom(), to.top);
        const int right = axis + widest + 14 + 12 * lane;
        rightmost_ = std::max(rightmost_, right);
        line(bracket(earlier.bottom() + 4, to.top - 6, right, -1));
        body_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"9\">{}</text>\n", axis + 8, to.top - 8,
                             block.join == Join::add ? "add" : "concat");
      }
    }
    return values.back();
  }

  const NetworkPlan& plan_;
  int most_channels_ = 1;
  int y_ = 4, rightmost_ = 0;
  std::string body_;
};

}  // namespace

std::string to_svg(const NetworkPlan& plan) { return Drawing(plan).run(); }

}  // namespace adwp::nas
