#include "mobileone/util/output.h"

#include <gtest/gtest.h>

#include "mobileone/util/file.h"
#include "support/error_of.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class Output : public testing::Test {
 protected:
  std::string refusal_of_file(const fs::path& path,
                              const std::vector<fs::path>& inputs = {}) const {
    return error_of([&] { require_output(path, inputs); });
  }
  std::string refusal_of_files(const fs::path& path,
                               const std::vector<fs::path>& inputs = {}) const {
    return error_of([&] { require_outputs(path, {"page.html", "table.csv"}, inputs); });
  }
  int64_t entries() const {
    return std::distance(fs::recursive_directory_iterator(dir), fs::recursive_directory_iterator());
  }

  const TestFolder folder;
  const fs::path dir = folder.path();
};

TEST_F(Output, AnInputIsNotOverwrittenUnderAnyName) {
  const fs::path input = dir / "last.pth";
  write_whole(input, "weights");
  fs::create_directory(dir / "sub");
  fs::create_symlink(input, dir / "link.pth");
  fs::create_hard_link(input, dir / "hard.pth");
  EXPECT_EQ(refusal_of_file(input, {"", input}),
            input.string() + ": would be overwritten; name another file");
  for (const fs::path& same :
       {dir / "." / "last.pth", dir / "sub/../last.pth", dir / "link.pth", dir / "hard.pth"}) {
    EXPECT_EQ(refusal_of_file(same, {input}),
              same.string() + ": is the same file as " + input.string() +
                  ", which would be overwritten; name another file");
  }
  EXPECT_EQ(refusal_of_file(dir / "other.pth", {input, ""}), "");
}

TEST_F(Output, NothingInAFolderThatIsReadIsOverwritten) {
  const fs::path image = dir / "set/star/0000.png";
  write_whole(image, "pixels");
  const std::string refused = image.string() + ": is in " + (dir / "set").string() +
                              ", which is read, and would be overwritten; name another file";
  EXPECT_EQ(refusal_of_file(image, {dir / "set"}), refused);
  fs::create_directory_symlink(dir / "set", dir / "way");
  EXPECT_NE(refusal_of_file(dir / "way/star/0000.png", {dir / "set"}), "");
  EXPECT_EQ(refusal_of_file(dir / "set/star/new.png", {dir / "set"}), "");
  EXPECT_EQ(refusal_of_file(image, {dir / "set/ring"}), "");
}

TEST_F(Output, WhatCannotBeWrittenIsNamedAndNothingIsMade) {
  write_whole(dir / "text", "hello");
  fs::create_directory(dir / "sub");
  const int64_t before = entries();
  EXPECT_EQ(refusal_of_file(dir / "typo/x.pth"),
            fmt::format("{0}/typo/x.pth: there is no folder {0}/typo; make it, or check the name",
                        dir.string()));
  EXPECT_EQ(refusal_of_file(dir / "text/x"),
            (dir / "text/x").string() + ": cannot be written: Not a directory");
  EXPECT_EQ(refusal_of_file(dir / "sub"),
            (dir / "sub").string() + ": is a folder, expected a file");
  EXPECT_EQ(refusal_of_file("/dev/null"),
            "/dev/null: is not a regular file, and will not be replaced");
  EXPECT_NE(refusal_of_file(dir / std::string(300, 'x')).find("File name too long"),
            std::string::npos);
  EXPECT_NE(refusal_of_file(""), "");
  EXPECT_EQ(refusal_of_files(dir / "text"),
            (dir / "text").string() + ": the folder cannot be made: Not a directory");
  EXPECT_EQ(refusal_of_file(dir / "new.pth"), "");
  EXPECT_EQ(refusal_of_files(dir / "new/deep"), "");
  EXPECT_EQ(entries(), before);
  EXPECT_EQ(read_file(dir / "text"), "hello");
}

TEST_F(Output, FilesOfAFolderAreOverwrittenOnlyBesideAnOwnPage) {
  write_whole(dir / "table.csv", "mine");
  EXPECT_EQ(refusal_of_files(dir).find((dir / "table.csv").string() + ": is there already"), 0u);
  write_whole(dir / "page.html", "<html>mine</html>");
  EXPECT_EQ(refusal_of_files(dir).find((dir / "page.html").string() + ": is there already"), 0u);
  write_whole(dir / "page.html", "<html><head>" + std::string(kPageMark) + "</head></html>");
  EXPECT_EQ(refusal_of_files(dir), "");
  EXPECT_NE(refusal_of_files(dir, {dir / "table.csv"}), "");
}

}  // namespace
}  // namespace mobileone
