#include "mobileone/report/text.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(Text, BytesThatAreNoUtf8AreReplacedOneByOne) {
  EXPECT_EQ(valid_utf8("caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\xb1"), "café 猫 🐱");
  EXPECT_EQ(valid_utf8("caf\xe9"), "caf\uFFFD") << "Latin-1";
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(valid_utf8("\xe0\x80\xaf"), "\uFFFD\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond U+10FFFF";
  EXPECT_EQ(valid_utf8("\xe7\x8c"), "\uFFFD\uFFFD") << "cut short";
  EXPECT_EQ(valid_utf8("\uFFFD"), "\uFFFD");
}

TEST(Text, XmlHasNoMarkupOrForbiddenCharactersLeft) {
  EXPECT_EQ(xml_escaped("<a href=\"x\" & 'y'>"), "&lt;a href=&quot;x&quot; &amp; &#39;y&#39;&gt;");
  EXPECT_EQ(xml_escaped(std::string_view("a\0b\x1b\t\n\xef\xbf\xbf", 9)),
            "a\uFFFDb\uFFFD\t\n\uFFFD");
}

TEST(Text, Base64IsRfc4648s) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Text, ShortenedKeepsBeginningAndEnd) {
  EXPECT_EQ(shortened("short", 12, 100), "short");
  const std::string name = "experiment_with_a_long_name_seed_7";
  const std::string cut = shortened(name, 12, 100);
  EXPECT_LE(text_width(cut, 12), 100);
  EXPECT_GT(text_width(cut, 12), 80);
  EXPECT_TRUE(cut.starts_with("exp"));
  EXPECT_TRUE(cut.ends_with("d_7")) << cut;
  EXPECT_EQ(shortened("猫猫猫猫猫猫猫猫", 10, 50), "猫猫…猫猫") << "whole characters";
}

}  // namespace
}  // namespace mobileone
