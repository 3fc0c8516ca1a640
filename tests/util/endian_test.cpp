#include "mobileone/util/endian.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(Endian, ReadsBothOrders) {
  const std::string_view bytes("\x00\x12\x34\xfe\xff", 5);
  EXPECT_EQ(big_endian(bytes, 1, 2), 0x1234u);
  EXPECT_EQ(little_endian(bytes, 1, 2), 0x3412u);
  EXPECT_EQ(big_endian(bytes, 1, 4), 0x1234feffu);
  EXPECT_EQ(little_endian(bytes, 2, 3), 0xfffe34u);
}

TEST(Endian, WritesWhatItReads) {
  std::string bytes = "x";
  append_little_endian(bytes, 0x0123456789abcdef, 8);
  append_little_endian(bytes, 0xfeff, 2);
  EXPECT_EQ(bytes.size(), 11u);
  EXPECT_EQ(little_endian(bytes, 1, 8), 0x0123456789abcdefu);
  EXPECT_EQ(bytes.substr(9), "\xff\xfe");
}

}  // namespace
}  // namespace mobileone
