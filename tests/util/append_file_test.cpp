#include "mobileone/util/append_file.h"

#include <gtest/gtest.h>

#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class AppendFileTest : public testing::Test {
 protected:
  const TestFolder folder;
  const fs::path dir = folder.path();
};

TEST_F(AppendFileTest, GrowsAndIsCutWhereToldTo) {
  const fs::path path = dir / "log";
  int64_t kept = 0;
  {
    AppendFile file(path, 0);
    file.append("one\n");
    kept = file.length();
    file.append("two\nthr");
    file.sync();
    EXPECT_EQ(file.length(), 11);
  }
  EXPECT_EQ(read_file(path), "one\ntwo\nthr");
  AppendFile file(path, kept);
  EXPECT_EQ(read_file(path), "one\n");
  file.append("2\n");
  EXPECT_EQ(read_file(path), "one\n2\n");
}

TEST_F(AppendFileTest, RefusesAFileThatShrank) {
  write_whole(dir / "log", "short");
  try {
    AppendFile(dir / "log", 6);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              (dir / "log").string() +
                  ": has 5 bytes, fewer than the 6 that were written to it; it was changed");
  }
  EXPECT_EQ(read_file(dir / "log"), "short");
}

TEST_F(AppendFileTest, NamesWhatCannotBeWritten) {
  EXPECT_THROW(AppendFile(dir, 0), Error);
  EXPECT_THROW(AppendFile(dir / "missing" / "log", 0), Error);
  try {
    AppendFile("/dev/full", 0).append("x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/dev/full: cannot be written"), std::string::npos);
  }
}

}  // namespace
}  // namespace mobileone
