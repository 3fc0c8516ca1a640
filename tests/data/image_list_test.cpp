#include "mobileone/data/image_list.h"

#include <cerrno>

#include "data/failing_storage.h"
#include "data/support.h"

namespace mobileone {
namespace {

TEST(ImageList, ChecksTheRangeOfLabels) {
  const ImageList list = listed("list.csv", "", {{"a.png", 3}, {"b.png", 10}});
  EXPECT_NO_THROW(require_labels_below(list, 11));
  EXPECT_EQ(error_of([&] { require_labels_below(list, 10); }),
            "list.csv: label 10 of b.png is out of range: the network has 10 classes (0 to 9)");
}

TEST(ImageList, HasAFingerprintOfItsLabelsAndPaths) {
  const ImageList list = listed("here/list.csv", "here/", {{"a.png", 3}, {"b/c.png", 10}});
  const ImageList copy =
      listed("/else/where/list.csv", "/else/where/", {{"/else/where/a.png", 3}, {"b/c.png", 10}});
  // sha1 of "3 a.png\n10 b/c.png\n", as sha1sum gives it.
  EXPECT_EQ(fingerprint(list), "c4336ab1ff1876b81629767e2246cd4364733999");
  EXPECT_EQ(fingerprint(copy), fingerprint(list));
  ImageList other = list;
  other.labels[0] = 4;
  EXPECT_NE(fingerprint(other), fingerprint(list));
}

TEST(ImageList, TriesAgainWhereTheSystemFails) {
  const auto storage = std::make_shared<FailingStorage>();
  const ImageList list{"set", {}, {0}, storage};
  storage->fail(3, EMFILE);
  EXPECT_EQ(list.read(0).bytes(), "0");
  storage->fail(4, EIO);
  EXPECT_EQ(error_of([&] { list.read(0); }), "image 0: cannot be read: Input/output error");
  storage->fail(1, ENOENT);  // trying again is of no use
  EXPECT_EQ(error_of([&] { list.read(0); }), "image 0: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace mobileone
