#include "mobileone/data/epoch_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace mobileone {
namespace {

/// Labels of a lopsided set: 40 images of class 0, 7 of class 2, 3 of class 5.
ImageList lopsided() {
  ImageList list;
  list.labels.assign(40, 0);
  list.labels.insert(list.labels.end(), 7, 2);
  list.labels.insert(list.labels.end(), 3, 5);
  return list;
}

TEST(BalancedOrder, DrawsClassesAndTheirImagesAlikeOften) {
  const ImageList list = lopsided();
  Random random(1);
  const auto order = balanced_order(list, random);
  ASSERT_EQ(std::ssize(order), 50);
  std::map<int32_t, int64_t> of_class;
  std::map<int64_t, int64_t> of_image;
  for (const int64_t draw : order) {
    const int64_t image = draw % list.size();
    ++of_class[list.labels[image]];
    ++of_image[image];
  }
  for (const int32_t label : {0, 2, 5}) {
    EXPECT_TRUE(of_class[label] == 16 || of_class[label] == 17) << label;
  }
  for (int64_t i = 0; i < 40; ++i) EXPECT_LE(of_image[i], 1);
  for (int64_t i = 40; i < 47; ++i) EXPECT_TRUE(of_image[i] == 2 || of_image[i] == 3) << i;
  for (int64_t i = 47; i < 50; ++i) EXPECT_TRUE(of_image[i] == 5 || of_image[i] == 6) << i;
  // No draw comes twice: each has an augmentation of its own.
  auto sorted = order;
  std::ranges::sort(sorted);
  EXPECT_EQ(std::ranges::adjacent_find(sorted), sorted.end());
}

TEST(BalancedOrder, IsAFunctionOfTheSeed) {
  const ImageList list = lopsided();
  const auto of_seed = [&](uint64_t seed) {
    Random random(seed, {3});
    return balanced_order(list, random);
  };
  EXPECT_EQ(of_seed(1), of_seed(1));
  EXPECT_NE(of_seed(1), of_seed(2));
}

}  // namespace
}  // namespace mobileone
