#include "mobileone/data/imagenet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mobileone {
namespace {

TEST(ImageNet, HasAThousandClassesInTheirOrder) {
  const auto& [ids, names] = imagenet_classes();
  ASSERT_EQ(ids.size(), 1000u);
  ASSERT_EQ(names.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 1000u);
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), 1000u);
  EXPECT_EQ(ids[0], "n01440764");
  EXPECT_EQ(names[0], "tench");
  EXPECT_EQ(names[340], "zebra");
  EXPECT_EQ(names[933], "cheeseburger");
  EXPECT_EQ(ids[999], "n15075141");
}

}  // namespace
}  // namespace mobileone
