#include "mobileone/data/png.h"

#include "data/support.h"

namespace mobileone {
namespace {

TEST(Png, DropsWhatMakesNoPixels) {
  const std::string bytes = read_file(golden("bad_profile.png"));
  ASSERT_NE(bytes.find("iCCP"), std::string::npos);
  const std::string essential = essential_png(bytes, "x.png");
  EXPECT_EQ(essential.find("iCCP"), std::string::npos);
  EXPECT_TRUE(is_png(essential));
  EXPECT_EQ(essential_png(essential + "trailing bytes", "x.png"), essential);
}

TEST(Png, RefusesTruncationAnywhere) {
  const std::string bytes = read_file(golden("rgb.png"));
  for (size_t length = 8; length < bytes.size(); ++length) {
    ASSERT_EQ(error_of([&] { essential_png(bytes.substr(0, length), "x.png"); }),
              "x.png: is a truncated PNG")
        << length;
  }
}

TEST(Png, RefusesAWrongCheckSum) {
  std::string bytes = read_file(golden("rgb.png"));
  bytes[bytes.size() / 2] ^= 1;
  EXPECT_EQ(error_of([&] { essential_png(bytes, "x.png"); }),
            "x.png: is a damaged PNG (a check sum is wrong)");
}

TEST(Png, RefusesAFileWithoutHeader) {
  const std::string bytes = read_file(golden("rgb.png"));
  EXPECT_EQ(error_of([&] { essential_png(bytes.substr(0, 8) + bytes.substr(33), "x.png"); }),
            "x.png: is a damaged PNG (its header is not its first part)");
}

}  // namespace
}  // namespace mobileone
