#include "framework/core/tensor.h"

#include "framework/core/error.h"
#include "tests/support/device.h"

namespace adwp::test {
namespace {

TEST(Shape, CountsElementsAndRows) {
  const Shape image{2, 3, 4, 5};
  EXPECT_EQ(image.elements(), 120);
  EXPECT_EQ(image.rows(), 24);
  EXPECT_EQ(image.back(), 5);
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ((Shape{0, 7}.elements()), 0);
  EXPECT_EQ(image.text(), "(2, 3, 4, 5)");
  EXPECT_NE((Shape{1, 2}), (Shape{1, 2, 1}));
}

TEST(Shape, RefusesWhatNoTensorCanHave) {
  EXPECT_THROW((Shape{1, -1}), Error);
  EXPECT_THROW((Shape{1, 2, 3, 4, 5}), Error);
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
}

class TensorTest : public DeviceTest {};

TEST_P(TensorTest, GoesToTheDeviceAndBack) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor t = Tensor::from_host(arena(), Shape{2, 3}, std::span<const float>(values));
  EXPECT_EQ(t.to_host<float>(), values);
  EXPECT_EQ(t.bytes(), 24u);
  EXPECT_EQ(t.text(), "f32 (2, 3)");
  t.zero();
  EXPECT_EQ(t.to_host<float>(), std::vector<float>(6, 0.0f));
}

TEST_P(TensorTest, ViewsShareTheMemory) {
  const std::vector<std::int32_t> values = {0, 1, 2, 3, 4, 5, 6, 7};
  const Tensor t = upload(Shape{8}, values);
  const Tensor tail = t.view(4, Shape{2, 2});
  EXPECT_EQ(tail.to_host<std::int32_t>(), (std::vector<std::int32_t>{4, 5, 6, 7}));
  tail.view(1, Shape{1}).zero();
  EXPECT_EQ(t.to_host<std::int32_t>()[5], 0);
  EXPECT_EQ(t.reshaped(Shape{2, 4}).shape(), (Shape{2, 4}));
  EXPECT_THROW(t.view(5, Shape{4}), Error);
  EXPECT_THROW(t.view(-1, Shape{1}), Error);
  EXPECT_THROW(t.reshaped(Shape{9}), Error);
}

TEST_P(TensorTest, ChecksDtypeAndSizeOfWhatIsCopied) {
  const Tensor t(arena(), Shape{4});
  EXPECT_THROW(t.to_host<std::int32_t>(), Error);
  EXPECT_THROW(t.data<std::uint8_t>(), Error);
  const std::vector<float> five(5);
  EXPECT_THROW(t.copy_from_host(std::span<const float>(five)), Error);
  EXPECT_THROW(t.copy_from(Tensor(arena(), Shape{5})), Error);
  EXPECT_THROW(t.copy_from(Tensor(arena(), Shape{4}, DType::i32)), Error);
}

TEST_P(TensorTest, AnEmptyTensorHasNoMemoryToTouch) {
  const Tensor none;
  EXPECT_FALSE(none.defined());
  EXPECT_THROW(none.data<float>(), Error);
  const Tensor zero(arena(), Shape{0, 3});
  EXPECT_TRUE(zero.to_host<float>().empty());
}

ADWP_ON_EVERY_DEVICE(TensorTest);

}  // namespace
}  // namespace adwp::test
