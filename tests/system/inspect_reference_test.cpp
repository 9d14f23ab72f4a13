// What `inspect` says of a network that is small enough to count by hand.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/io/atomic_file.h"
#include "nas/space/architecture.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace adwp::test {
namespace {

class InspectReference : public testing::Test {
 protected:
  // A stem of 8 channels at 16 x 16; a separable block of 16 channels at 8 x 8, its depthwise layer striding.
  InspectReference() {
    nas::Architecture network;
    network.stem_width = 8;
    network.stages = {{16, 2, {nas::Block{{nas::BlockKind::separable, 3}}}}};
    io::write_atomically((place_.path() / "net.json").string(), network.to_json());
  }
  std::string inspect(const std::string& option) const {
    const auto program = std::filesystem::path(ADWP_SEARCH).parent_path() / "inspect";
    const Finished finished = run(
        {program.string(), (place_.path() / "net.json").string(), "--image", "16", "--classes", "4", option});
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
  }

 private:
  TemporaryDirectory place_;
};

TEST_F(InspectReference, CountsEveryLayer) {
  const nlohmann::json found = nlohmann::json::parse(inspect("--json"));
  const nlohmann::json layers = found["layers"];
  ASSERT_EQ(layers.size(), 4u);  // stem, depthwise, pointwise, classifier
  const int params[] = {8 * 27 + 16, 8 * 9 + 16, 16 * 8 + 32, 4 * 17};
  const int macs[] = {256 * 8 * 27, 64 * 8 * 9, 64 * 16 * 8, 64};
  const int bytes[] = {4 * 256 * 8, 4 * 64 * 8, 4 * 64 * 16, 16};
  for (std::size_t l = 0; l < 4; ++l) {
    EXPECT_EQ(layers[l]["params"], params[l]) << l;
    EXPECT_EQ(layers[l]["macs"], macs[l]) << l;
    EXPECT_EQ(layers[l]["activation_bytes"], bytes[l]) << l;
  }
  EXPECT_EQ(found["activation_bytes"], bytes[0] + bytes[1] + bytes[2] + bytes[3]);
}

TEST_F(InspectReference, DrawsStridesShapesAndEdges) {
  const std::string dot = inspect("--dot");
  for (const char* part :
       {"16 x 16 x 8", "stage0.block0.depthwise\\n3x3 depthwise, stride 2, relu\\n8 x 8 x 8",
        "stage0.block0.pointwise\\n1x1, relu\\n8 x 8 x 16", "v0 -> v1;", "v1 -> v2;", "v2 -> v3;",
        "v3 -> v4;", "v4 -> classifier;"}) {
    EXPECT_NE(dot.find(part), std::string::npos) << part << " is not in\n" << dot;
  }
}

}  // namespace
}  // namespace adwp::test
