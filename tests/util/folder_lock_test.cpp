#include "mobileone/util/folder_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "mobileone/util/error.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class FolderLockTest : public testing::Test {
 protected:
  const TestFolder folder;
  const fs::path dir = folder.path();
};

TEST_F(FolderLockTest, RefusesTheSecondAndNamesTheFirst) {
  std::optional<FolderLock> first(dir);
  try {
    FolderLock second(dir);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(
        std::string(error.what())
            .starts_with(fmt::format("{}: is in use by process {} on ", dir.string(), ::getpid())))
        << error.what();
  }
  first.reset();
  FolderLock third(dir);
}

TEST_F(FolderLockTest, ADeadProcessHoldsNothing) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    FolderLock lock(dir);
    (void)!::write(ready[1], "x", 1);
    ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THROW(FolderLock second(dir), Error);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  FolderLock second(dir);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(FolderLockTest, NoticesTheFoldersRemoval) {
  FolderLock lock(dir);
  EXPECT_NO_THROW(lock.require_held());
  fs::remove_all(dir);
  EXPECT_THROW(lock.require_held(), Error);
}

TEST_F(FolderLockTest, LeavesAnothersLockAlone) {
  EXPECT_FALSE(FolderLock::was_in(dir));
  { FolderLock lock(dir); }
  EXPECT_TRUE(FolderLock::was_in(dir));
  folder.write(".lock", "of a package manager");
  EXPECT_FALSE(FolderLock::was_in(dir));
  EXPECT_THROW(FolderLock lock(dir), Error);
  EXPECT_EQ(read_file(dir / ".lock"), "of a package manager");
  folder.write(".lock", "");
  FolderLock lock(dir);
}

TEST_F(FolderLockTest, NamesAFolderThatIsNotThere) {
  EXPECT_THROW(FolderLock(dir / "missing"), Error);
}

}  // namespace
}  // namespace mobileone
