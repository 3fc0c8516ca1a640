#include "mobileone/dist/launch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "mobileone/util/file.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

/// Launches a shell script, which finds its place in $RANK and $WORLD_SIZE.
int launch_script(const std::string& script, LaunchOptions options = {.processes = 2}) {
  options.command = [&](int64_t attempt) {
    return std::vector<std::string>{"/bin/sh", "-c", script, "sh", std::to_string(attempt)};
  };
  return launch(options);
}

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Launch, GivesEachProcessItsPlace) {
  const TestFolder folder;
  EXPECT_EQ(launch_script("echo $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR "
                          "$MASTER_PORT >" +
                              folder.path("$RANK"),
                          {.processes = 3}),
            0);
  const std::string first = read_file(folder.path("0"));
  EXPECT_TRUE(first.starts_with("0 0 3 3 127.0.0.1 "));
  EXPECT_EQ(read_file(folder.path("2")).substr(4), first.substr(4)) << "one port for all";
}

TEST(Launch, StopsAllWhenOneFailsAndNamesIt) {
  testing::internal::CaptureStderr();
  int status = 0;
  const double seconds = seconds_of([&] {
    status = launch_script(
        "if [ $RANK = 1 ]; then echo 'a line' >&2; echo 'mobileone: no data' >&2; exit 2; fi; "
        "exec sleep 100");
  });
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_EQ(status, 2);
  EXPECT_LT(seconds, 20);
  EXPECT_NE(errors.find("[rank 1] a line\n"), errors.npos) << errors;
  EXPECT_NE(errors.find("mobileone: rank 1 of 2: no data\n"), errors.npos) << errors;
}

TEST(Launch, BlamesTheOneThatFailedByItself) {
  testing::internal::CaptureStderr();
  const int status = launch_script("if [ $RANK = 0 ]; then exit 3; fi; sleep 0.5; kill -9 $$");
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_EQ(status, 128 + SIGKILL);
  EXPECT_NE(errors.find("mobileone: rank 1 of 2: was killed by signal 9"), errors.npos) << errors;
}

TEST(Launch, StartsAgainOnAsManyAsAreLeft) {
  const TestFolder folder;
  const std::string script = "echo $WORLD_SIZE >" + folder.path("$1-$RANK") +
                             "; if [ $1 = 0 -a $RANK = 1 ]; then sleep 0.2; kill -9 $$; fi; "
                             "if [ $1 = 0 ]; then exec sleep 100; fi";
  EXPECT_EQ(launch_script(script, {.processes = 2, .restarts = 1}), 0);
  EXPECT_EQ(read_file(folder.path("1-1")), "2\n");
  EXPECT_EQ(launch_script(script, {.processes = 2, .restarts = 1, .fewest = 1}), 0);
  EXPECT_EQ(read_file(folder.path("1-0")), "1\n");
}

TEST(Launch, GivesUpAfterItsRestartsAndAtErrorsOfTheUser) {
  const TestFolder folder;
  const std::string count = "echo >>" + folder.path("$RANK") + "; ";
  EXPECT_EQ(launch_script(count + "exit 1", {.processes = 1, .restarts = 2}), 1);
  EXPECT_EQ(read_file(folder.path("0")), "\n\n\n");
  EXPECT_EQ(launch_script(count + "exit 2", {.processes = 1, .restarts = 2}), 2);
  EXPECT_EQ(read_file(folder.path("0")), "\n\n\n\n");
}

TEST(Launch, PassesSignalsOn) {
  // By another process: a thread of this one would get the signal itself.
  const std::string later = "(sleep 0.5; kill -TERM " + std::to_string(::getpid()) + ") &";
  ASSERT_EQ(std::system(later.c_str()), 0);
  const int status = launch_script("trap 'exit 143' TERM; while :; do sleep 0.1; done",
                                   {.processes = 2, .restarts = 3});
  EXPECT_EQ(status, 143) << "and does not start again";
}

}  // namespace
}  // namespace mobileone
