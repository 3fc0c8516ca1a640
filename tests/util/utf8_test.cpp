#include "mobileone/util/utf8.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

using namespace std::string_literals;

TEST(Utf8, OfTextFiles) {
  EXPECT_EQ(utf8_of(""), "");
  EXPECT_EQ(utf8_of("größe"), "größe");
  EXPECT_EQ(utf8_of("caf\xe9"), "caf\xe9") << "anything else stays";
  EXPECT_EQ(utf8_of("\xef\xbb\xbfx"), "x");
  EXPECT_EQ(utf8_of("\xff\xfe"s), "");
  EXPECT_EQ(utf8_of("\xff\xfe"
                    "a\0\xe9\0\xac\x20\x3d\xd8\x31\xdc"s),
            "aé€🐱");
  EXPECT_EQ(utf8_of("\xfe\xff"
                    "\0a\0\xe9\x20\xac\xd8\x3d\xdc\x31"s),
            "aé€🐱");
  EXPECT_EQ(utf8_of("a\0b\0"s), "ab");
  EXPECT_EQ(utf8_of("\0a\0b"s), "ab");
  EXPECT_EQ(utf8_of("\xff\xfe"
                    "\x3d\xd8"
                    "a\0\x31\xdc"
                    "b"s),
            "\uFFFDa\uFFFD")
      << "halves";
}

}  // namespace
}  // namespace mobileone
