#include "mobileone/dist/processes.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <thread>
#include <vector>

#include "dist/as_processes.h"

namespace mobileone {
namespace {

TEST(Processes, AloneDoNothing) {
  const Processes alone;
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

TEST(Processes, SumAndBroadcast) {
  as_processes(3, [](const Processes& processes) {
    const auto rank = static_cast<double>(processes.rank());
    const auto x = torch::full({2, 5}, rank + 1, torch::kFloat64);
    processes.sum(x);
    EXPECT_TRUE(torch::equal(x, torch::full({2, 5}, 6.0, torch::kFloat64)));
    const auto pieces = torch::full({4}, rank);
    const auto first = processes.start_sum(pieces.slice(0, 0, 2));
    const auto second = processes.start_sum(pieces.slice(0, 2, 4));
    first(), second();
    EXPECT_TRUE(torch::equal(pieces, torch::full({4}, 3.0)));
    const auto y = torch::full({3}, rank + 7);
    processes.broadcast(y);
    EXPECT_TRUE(torch::equal(y, torch::full({3}, 7.0)));
  });
}

TEST(Processes, GatherTextsOfAnyLength) {
  as_processes(3, [](const Processes& processes) {
    const std::string own(static_cast<size_t>(1000 * processes.rank()), 'x');
    const auto texts = processes.gather(own);
    ASSERT_EQ(texts.size(), 3);
    for (size_t rank = 0; rank < 3; ++rank) EXPECT_EQ(texts[rank].size(), 1000 * rank);
    EXPECT_EQ(processes.gather(""), std::vector<std::string>(3));
  });
}

TEST(Processes, ThrowTogether) {
  as_processes(2, [](const Processes& processes) {
    try {
      processes.together([&] {
        if (processes.rank() == 1) throw Error("no such file");
      });
      ADD_FAILURE() << "expected an error";
    } catch (const PeerError& error) {
      EXPECT_EQ(processes.rank(), 0);
      EXPECT_STREQ(error.what(), "rank 1: no such file");
    } catch (const Error& error) {
      EXPECT_EQ(processes.rank(), 1);
      EXPECT_STREQ(error.what(), "no such file");
    }
    processes.meet();  // all go on alike
  });
}

TEST(Processes, TellWhyTheyEnd) {
  auto processes = Processes::in_threads(2, {.timeout = std::chrono::seconds(20)});
  std::jthread other([&] {
    EXPECT_THROW(processes[1]->run([] { throw Error("the disk is full"); }), Error);
    processes[1].reset();
  });
  try {
    processes[0]->run([] {});
    ADD_FAILURE() << "expected an error";
  } catch (const PeerError& error) {
    EXPECT_STREQ(error.what(), "rank 1: the disk is full");
  }
}

TEST(Processes, NameOneThatGivesNoSignOfLife) {
  auto processes = Processes::in_threads(3, {.timeout = std::chrono::seconds(20)});
  processes[2].reset();
  std::vector<std::jthread> threads;
  for (size_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        processes[rank]->meet();
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
