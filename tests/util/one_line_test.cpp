#include "mobileone/util/one_line.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

using namespace std::string_literals;

TEST(OneLine, LeavesWhatIsShown) {
  for (const char* text : {"", "stage0.weight", "größe", "犬", "🐕", "e\u0301"}) {
    EXPECT_EQ(one_line(text), text);
  }
}

TEST(OneLine, QuestionsWhatATerminalObeys) {
  EXPECT_EQ(one_line("a\x1b[31mred\r\n\tb\x7f"), "a?[31mred???b?");
  EXPECT_EQ(one_line("nul\0nul"s), "nul?nul");
  EXPECT_EQ(one_line("\u009b31m \u0085 \u2028 \u2029"), "?31m ? ? ?");          // C1, separators
  EXPECT_EQ(one_line("gpj.\u202eexe \u2066x\u2069 \u200f"), "gpj.?exe ?x? ?");  // directions
}

TEST(OneLine, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(one_line("\xff\x9b"
                     "31m\xe2\x80"),
            "\uFFFD\uFFFD"
            "31m\uFFFD\uFFFD");
}

}  // namespace
}  // namespace mobileone
