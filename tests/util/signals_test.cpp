#include "mobileone/util/signals.h"

#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(SignalWatch, RemembersWhatCame) {
  SignalWatch watch;
  EXPECT_EQ(watch.stop(), 0);
  EXPECT_FALSE(watch.take_save_request());
  std::raise(SIGUSR1);
  EXPECT_TRUE(watch.take_save_request());
  EXPECT_FALSE(watch.take_save_request());
  std::raise(SIGTERM);
  EXPECT_EQ(watch.stop(), SIGTERM);
}

TEST(SignalWatch, ANewOneHasSeenNothing) {
  {
    SignalWatch watch;
    std::raise(SIGINT);
    EXPECT_EQ(watch.stop(), SIGINT);
  }
  EXPECT_EQ(SignalWatch().stop(), 0);
}

TEST(SignalWatchDeathTest, TheSecondEndsTheProcess) {
  const auto interrupt_twice = [] {
    SignalWatch watch;
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(interrupt_twice(), testing::KilledBySignal(SIGINT), "");
}

TEST(SignalWatchDeathTest, SoDoesTheSecondOfTheOtherKind) {
  const auto interrupt_and_terminate = [] {
    SignalWatch watch;
    std::raise(SIGINT);
    std::raise(SIGTERM);
  };
  EXPECT_EXIT(interrupt_and_terminate(), testing::KilledBySignal(SIGTERM), "");
}

/// As systemd sends them, and a terminal that closes.
TEST(SignalWatch, AHangupAsksForAnEndAndNeverForcesIt) {
  SignalWatch watch;
  std::raise(SIGHUP);
  EXPECT_EQ(watch.stop(), SIGHUP);
  std::raise(SIGHUP);
}

TEST(SignalWatch, LeavesIgnoredSignalsIgnored) {
  std::signal(SIGINT, SIG_IGN);
  {
    SignalWatch watch;
    std::raise(SIGINT);
    EXPECT_EQ(watch.stop(), 0);
  }
  std::signal(SIGINT, SIG_DFL);
}

TEST(SignalWatch, HearsARequestToSaveThatWasIgnoredBefore) {
  std::signal(SIGUSR1, SIG_IGN);
  {
    SignalWatch watch;
    std::raise(SIGUSR1);
    EXPECT_TRUE(watch.take_save_request());
  }
  std::raise(SIGUSR1);  // ignored again
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(SignalWatchDeathTest, LeavesTheDefaultsBehind) {
  { SignalWatch watch; }
  EXPECT_EXIT(std::raise(SIGUSR1), testing::KilledBySignal(SIGUSR1), "");
}

}  // namespace
}  // namespace mobileone
