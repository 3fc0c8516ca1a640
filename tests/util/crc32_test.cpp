#include "mobileone/util/crc32.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(Crc32, GivesThePublishedCheckValues) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32(""), 0u);
  EXPECT_EQ(crc32c(std::string_view(
                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32)),
            0x8a9136aau);
}

TEST(Crc32, IsTheSameByAnyWay) {
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes += static_cast<char>(i * i * 2654435761u >> 9);
  for (const size_t length : {1, 7, 8, 9, 6143, 6144, 6145, 12'289, 19'999}) {
    for (const size_t offset : {0, 1}) {
      const auto part = std::string_view(bytes).substr(offset, length);
      EXPECT_EQ(crc32c(part), portable_crc32c(part)) << length << " from " << offset;
    }
  }
}

}  // namespace
}  // namespace mobileone
