#include "mobileone/dist/workers.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <thread>
#include <vector>

#include "dist/as_workers.h"

namespace mobileone {
namespace {

TEST(Workers, AloneDoNothing) {
  const Workers alone;
  const auto x = torch::full({3}, 2.0);
  alone.sum(x);
  alone.broadcast(x);
  alone.start_sum(x)();
  alone.meet();
  EXPECT_TRUE(torch::equal(x, torch::full({3}, 2.0)));
  EXPECT_EQ(alone.gather("a"), std::vector<std::string>{"a"});
  EXPECT_TRUE(alone.first());
  EXPECT_THROW(alone.together([] { throw Error("mine"); }), Error);
}

TEST(Workers, SumAndBroadcast) {
  as_workers(3, [](const Workers& workers) {
    const auto rank = static_cast<double>(workers.rank());
    const auto x = torch::full({2, 5}, rank + 1, torch::kFloat64);
    workers.sum(x);
    EXPECT_TRUE(torch::equal(x, torch::full({2, 5}, 6.0, torch::kFloat64)));
    const auto pieces = torch::full({4}, rank);
    const auto first = workers.start_sum(pieces.slice(0, 0, 2));
    const auto second = workers.start_sum(pieces.slice(0, 2, 4));
    first(), second();
    EXPECT_TRUE(torch::equal(pieces, torch::full({4}, 3.0)));
    const auto y = torch::full({3}, rank + 7);
    workers.broadcast(y);
    EXPECT_TRUE(torch::equal(y, torch::full({3}, 7.0)));
  });
}

TEST(Workers, GatherTextsOfAnyLength) {
  as_workers(3, [](const Workers& workers) {
    const std::string own(static_cast<size_t>(1000 * workers.rank()), 'x');
    const auto texts = workers.gather(own);
    ASSERT_EQ(texts.size(), 3);
    for (size_t rank = 0; rank < 3; ++rank) EXPECT_EQ(texts[rank].size(), 1000 * rank);
    EXPECT_EQ(workers.gather(""), std::vector<std::string>(3));
  });
}

TEST(Workers, ThrowTogether) {
  as_workers(2, [](const Workers& workers) {
    try {
      workers.together([&] {
        if (workers.rank() == 1) throw Error("no such file");
      });
      ADD_FAILURE() << "expected an error";
    } catch (const PeerError& error) {
      EXPECT_EQ(workers.rank(), 0);
      EXPECT_STREQ(error.what(), "rank 1: no such file");
    } catch (const Error& error) {
      EXPECT_EQ(workers.rank(), 1);
      EXPECT_STREQ(error.what(), "no such file");
    }
    workers.meet();  // all go on alike
  });
}

TEST(Workers, TellWhyTheyEnd) {
  auto workers = Workers::in_threads(2, {.timeout = std::chrono::seconds(20)});
  std::jthread other([&] {
    EXPECT_THROW(workers[1]->run([] { throw Error("the disk is full"); }), Error);
    workers[1].reset();
  });
  try {
    workers[0]->run([] {});
    ADD_FAILURE() << "expected an error";
  } catch (const PeerError& error) {
    EXPECT_STREQ(error.what(), "rank 1: the disk is full");
  }
}

TEST(Workers, NameOneThatGivesNoSignOfLife) {
  auto workers = Workers::in_threads(3, {.timeout = std::chrono::seconds(20)});
  workers[2].reset();
  std::vector<std::jthread> threads;
  for (size_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        workers[rank]->meet();
        ADD_FAILURE() << "expected an error";
      } catch (const PeerError& error) {
        EXPECT_TRUE(std::string(error.what()).starts_with("rank 2 (a thread) gives no sign"))
            << error.what();
      }
    });
  }
}

}  // namespace
}  // namespace mobileone
