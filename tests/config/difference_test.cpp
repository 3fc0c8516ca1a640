#include "mobileone/config/difference.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(Differences, AreNamedInOrderWithBothValues) {
  Config first, second;
  EXPECT_TRUE(differences(first, second).empty());
  second.model.branches = {4};
  second.optimizer.lr = 0.05;
  second.output.dir = "runs/b: c";
  const auto found = differences(first, second);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].key, "model.branches");
  EXPECT_EQ(found[0].first, "[]");
  EXPECT_EQ(found[0].second, "[4]");
  EXPECT_EQ(found[1].key, "optimizer.lr");
  EXPECT_EQ(found[2].key, "output.dir");
  EXPECT_EQ(found[2].second, "\"runs/b: c\"");
}

}  // namespace
}  // namespace mobileone
