#include "mobileone/util/number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace mobileone {
namespace {

TEST(ParseNumber, TakesAWholeText) {
  EXPECT_EQ(parse_number<int64_t>("-12"), -12);
  EXPECT_EQ(parse_number<double>("2.5e3"), 2500);
  for (const char* text : {"", " 1", "1 ", "1x", "x", "+1", "0x10", "1.0"}) {
    EXPECT_EQ(parse_number<int64_t>(text), std::nullopt) << text;
  }
}

TEST(ParseNumber, RefusesWhatDoesNotFit) {
  EXPECT_EQ(parse_number<uint8_t>("255"), 255);
  EXPECT_EQ(parse_number<uint8_t>("256"), std::nullopt);
  EXPECT_EQ(parse_number<uint8_t>("-1"), std::nullopt);
  for (const char* text : {"nan", "inf", "-inf", "1e999"}) {
    EXPECT_EQ(parse_number<double>(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace mobileone
