#include "mobileone/config/nearest.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(Nearest, FindsTheSmallestEditDistance) {
  EXPECT_EQ(nearest("varient", {"val", "variant", "train"}), "variant");
  EXPECT_EQ(nearest("S0", {"s1", "s0"}), "s0");
  EXPECT_EQ(nearest("kitten", {"sitting", "mitten"}), "mitten");
  EXPECT_EQ(nearest("warm_up", {"warmup", "warm"}), "warmup");
}

TEST(Nearest, TakesTheFirstOfEquals) { EXPECT_EQ(nearest("s", {"s1", "s2"}), "s1"); }

TEST(Nearest, FindsNothingFarAway) {
  EXPECT_EQ(nearest("lr", {"momentum", "nesterov"}), std::nullopt);
  EXPECT_EQ(nearest("", {"lr"}), std::nullopt);
  EXPECT_EQ(nearest("lr", {}), std::nullopt);
}

TEST(Nearest, EndsAMessage) {
  EXPECT_EQ(did_you_mean("varient", {"variant"}), "; did you mean 'variant'?");
  EXPECT_EQ(did_you_mean("varient", {"lr"}), "");
}

}  // namespace
}  // namespace mobileone
