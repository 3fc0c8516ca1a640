#include "mobileone/data/imagenet.h"

#include <algorithm>
#include <set>

#include "data/support.h"
#include "mobileone/data/image_list.h"
#include "mobileone/util/error.h"

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

TEST(ImageNet, FoldersNamedByIdAreItsClasses) {
  ImageList list = listed("val", "", {{"a.jpg", 0}});
  list.class_names = imagenet_classes().ids;
  EXPECT_NO_THROW(require_same_classes(imagenet_classes().names, "s0.pth", list));
  list.class_names[7] = "n00000000";
  EXPECT_THROW(require_same_classes(imagenet_classes().names, "s0.pth", list), Error);
}

}  // namespace
}  // namespace mobileone
