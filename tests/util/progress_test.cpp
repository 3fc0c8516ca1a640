#include "mobileone/util/progress.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(FormatDuration, ReadsAsPeopleSayIt) {
  EXPECT_EQ(format_duration(0.4), "0 s");
  EXPECT_EQ(format_duration(59), "59 s");
  EXPECT_EQ(format_duration(249), "4 min 09 s");
  EXPECT_EQ(format_duration(7500), "2 h 05 min");
  EXPECT_EQ(format_duration(274000), "3 d 4 h");
  EXPECT_EQ(format_duration(-3), "0 s");
}

TEST(FormatBar, IsAsFullAsItsShare) {
  EXPECT_EQ(format_bar(0, 4), "[....]");
  EXPECT_EQ(format_bar(0.5, 4), "[##..]");
  EXPECT_EQ(format_bar(1, 4), "[####]");
  EXPECT_EQ(format_bar(7, 4), "[####]");
}

TEST(Progress, WritesPlainLinesWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Progress progress("epoch 1/2", 100, "img", 0, std::chrono::seconds(0));
    progress.update(50, "loss 1.5");
  }
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(line.starts_with("epoch 1/2   50 %")) << line;
  EXPECT_TRUE(line.ends_with("loss 1.5\n")) << line;
  EXPECT_EQ(line.find('\r'), std::string::npos);
}

}  // namespace
}  // namespace mobileone
