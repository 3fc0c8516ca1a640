#include "mobileone/util/in_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

namespace mobileone {
namespace {

TEST(InOrder, ResultsComeInTheirOrderHoweverLongTheyTake) {
  std::vector<int64_t> seen;
  in_order(
      3, 50, 4,
      [](int64_t i) {
        std::this_thread::sleep_for(std::chrono::microseconds(i * 7919 % 500));
        return std::to_string(i);
      },
      [&](int64_t i, const std::string& text) {
        EXPECT_EQ(text, std::to_string(i));
        seen.push_back(i);
      });
  ASSERT_EQ(seen.size(), 47u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int64_t>(i) + 3);
}

TEST(InOrder, FewResultsWait) {
  std::atomic<int64_t> produced = 0;
  in_order(
      0, 100, 2, [&](int64_t i) { return ++produced, i; },
      [&](int64_t i, int64_t) { EXPECT_LE(produced, i + 1 + 8); });
  EXPECT_EQ(produced, 100);
}

TEST(InOrder, TheFirstFaultEndsIt) {
  int64_t consumed = 0;
  const auto run = [&](int64_t bad_result, int64_t bad_consumer) {
    in_order(
        0, 1000, 3,
        [=](int64_t i) {
          if (i == bad_result) throw std::runtime_error("result");
          return i;
        },
        [&](int64_t i, int64_t) {
          if (i == bad_consumer) throw std::logic_error("consumer");
          consumed = i;
        });
  };
  EXPECT_THROW(run(17, 900), std::runtime_error);
  EXPECT_EQ(consumed, 16);
  EXPECT_THROW(run(900, 5), std::logic_error);
  EXPECT_EQ(consumed, 4);
}

TEST(InOrder, NothingToDo) {
  in_order(
      5, 5, 2, [](int64_t i) { return i; }, [](int64_t, int64_t) { FAIL(); });
}

}  // namespace
}  // namespace mobileone
