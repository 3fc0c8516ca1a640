#include "mobileone/data/sheet.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace mobileone {
namespace {

bool has_ink(const at::Tensor& part) { return part.lt(128).any().item<bool>(); }

TEST(Sheet, HoldsEveryImageAndItsText) {
  std::vector<Tile> tiles;
  for (int i = 0; i < 7; ++i) {
    const at::Tensor colour = at::tensor({150 + i, 240, 240}, at::kByte);  // no grey, as text is
    tiles.push_back({colour.expand({300, 400, 3}).contiguous(), {"0.70 cat", "+ 0.30 dog"}});
  }
  const at::Tensor sheet = draw_sheet({"epoch 3", tiles});
  EXPECT_LE(sheet.size(1), 1500);
  EXPECT_TRUE(has_ink(sheet.narrow(0, 0, 32)));
  for (int i = 0; i < 7; ++i) {
    const at::Tensor own = sheet.eq(tiles[i].image[0][0]).all(2);
    EXPECT_EQ(own.sum().item<int64_t>(), 300 * 400) << i;
  }
  // Three tiles a row; text stands below each of the first and nowhere beside it.
  const at::Tensor below = sheet.narrow(0, 38 + 300, 36);
  for (int column = 0; column < 3; ++column) {
    EXPECT_TRUE(has_ink(below.narrow(1, 12 + column * 412, 400))) << column;
    EXPECT_FALSE(has_ink(below.narrow(1, column * 412, 12))) << column;
  }
}

TEST(Sheet, EnlargesSmallImagesByWholeFactors) {
  at::Tensor image = at::full({32, 32, 3}, 200, at::kByte);
  image[4][5].fill_(100);
  const at::Tensor sheet = draw_sheet({"", {{image, {}}}});
  EXPECT_EQ(sheet.eq(100).all(2).sum().item<int64_t>(), 5 * 5);
}

TEST(Sheet, CutsLongLinesShort) {
  const at::Tensor image = at::full({160, 160, 3}, 200, at::kByte);
  const std::string line(100, 'w');
  const at::Tensor sheet = draw_sheet({"", {{image, {line}}, {image, {"\xc3\xa4pfel\n"}}}});
  EXPECT_FALSE(has_ink(sheet.narrow(1, 12 + 160, 12)));
}

TEST(Sheet, NamesOfAnyScriptCanBeToldApart) {
  const at::Tensor image = at::full({160, 160, 3}, 200, at::kByte);
  const auto drawn = [&](const char* name) { return draw_sheet({"", {{image, {name}}}}); };
  EXPECT_FALSE(drawn("猫").equal(drawn("犬")));
  EXPECT_TRUE(drawn("猫").equal(drawn("\\u732b")));
  EXPECT_TRUE(drawn("🐈").equal(drawn("\\U0001f408")));
}

TEST(Sheet, MayHaveBlanks) {
  const at::Tensor image = at::full({160, 160, 3}, 200, at::kByte);
  EXPECT_EQ(draw_sheet({"", {{{}, {"none"}}, {image, {}}}}).size(1), 12 + 2 * 172);
  EXPECT_EQ(draw_sheet({"", {{{}, {"none"}}}}).size(1), 12 + 172);
}

}  // namespace
}  // namespace mobileone
