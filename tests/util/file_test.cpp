#include "mobileone/util/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/util/error.h"
#include "support/error_of.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class WriteWhole : public testing::Test {
 protected:
  std::vector<std::string> names(const fs::path& in) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(in)) found.push_back(entry.path().filename());
    return found;
  }

  const TestFolder folder;
  const fs::path dir = folder.path();
};

TEST_F(WriteWhole, MakesFoldersAndLeavesOneFile) {
  write_whole(dir / "a" / "b.txt", "first");
  write_whole(dir / "a" / "b.txt", "second");
  EXPECT_EQ(read_file(dir / "a" / "b.txt"), "second");
  EXPECT_EQ(names(dir / "a"), std::vector<std::string>{"b.txt"});
}

TEST_F(WriteWhole, AFailureKeepsTheOldFileAndNoTemporary) {
  write_whole(dir / "kept", "old");
  EXPECT_THROW(write_whole(dir / "kept",
                           [](const fs::path& temporary) {
                             write_whole(temporary, "half");
                             throw Error("interrupted");
                           }),
               Error);
  EXPECT_EQ(read_file(dir / "kept"), "old");
  EXPECT_EQ(names(dir), std::vector<std::string>{"kept"});
}

TEST_F(WriteWhole, NamesWhatStandsInTheWay) {
  fs::create_directories(dir / "folder");
  write_whole(dir / "file", "");
  EXPECT_EQ(error_of([&] { write_whole(dir / "folder", ""); }),
            (dir / "folder").string() + ": is a folder, expected a file");
  EXPECT_EQ(error_of([&] { write_whole(dir / "file" / "x", ""); }),
            (dir / "file" / "x").string() + ": cannot be written: Not a directory");
}

TEST_F(WriteWhole, KnowsTemporaryFilesByTheirNames) {
  EXPECT_EQ(leftover_of(temporary_beside(dir / "a.txt")), dir / "a.txt");
  EXPECT_EQ(leftover_of(dir / "a.txt.17.tmp"), dir / "a.txt");
  for (const char* other : {"a.txt", "a.tmp", "a.x17.tmp", ".tmp", "a.17.bak"}) {
    EXPECT_EQ(leftover_of(dir / other), "") << other;
  }
}

TEST_F(WriteWhole, RequireFileNamesWhatIsWrong) {
  EXPECT_EQ(error_of([&] { require_file(dir / "x", "checkpoint"); }),
            (dir / "x").string() + ": no such checkpoint");
  EXPECT_EQ(error_of([&] { require_file(dir, "checkpoint"); }),
            dir.string() + ": is a folder, expected a checkpoint");
  EXPECT_EQ(error_of([&] { require_file("/dev/null", "checkpoint"); }),
            "/dev/null: is not a regular file, expected a checkpoint");
}

TEST_F(WriteWhole, LinksAndRenamesOverWhatIsThere) {
  write_whole(dir / "new", "2");
  write_whole(dir / "kept", "1");
  link_whole(dir / "new", dir / "kept");
  EXPECT_EQ(read_file(dir / "kept"), "2");
  write_whole(dir / "newer", "3");
  rename_whole(dir / "newer", dir / "new");
  EXPECT_EQ(read_file(dir / "new"), "3");
  EXPECT_EQ(read_file(dir / "kept"), "2");
  EXPECT_EQ(names(dir).size(), 2u);
  EXPECT_THROW(link_whole(dir / "missing", dir / "kept"), Error);
  EXPECT_THROW(rename_whole(dir / "missing", dir / "kept"), Error);
  EXPECT_EQ(read_file(dir / "kept"), "2");
}

}  // namespace
}  // namespace mobileone
