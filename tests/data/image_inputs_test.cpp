#include "mobileone/data/image_inputs.h"

#include <filesystem>

#include "data/support.h"
#include "mobileone/util/file.h"
#include "support/standard_input.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class ImageInputs : public testing::Test {
 protected:
  ImageInputs() {
    for (const char* file : {"b/2.jpg", "b/10.PNG", "b/notes.txt", "b/.hidden.jpg", "b/c/1.jpg",
                             "a.jpg", "[1].jpg", "no_ending"}) {
      write_whole(dir / file, file);
    }
  }

  /// Relative to the folder.
  std::vector<std::string> names(std::vector<std::string> inputs) const {
    for (auto& input : inputs) input = at(input);
    const ImageList images = read_image_inputs(inputs);
    std::vector<std::string> found;
    for (int64_t i = 0; i < images.size(); ++i) {
      found.push_back(fs::path(images.name(i)).lexically_relative(dir).string());
    }
    return found;
  }
  std::string at(const std::string& name) const { return (dir / name).string(); }

  const TestFolder folder;
  const fs::path dir = folder.path();
};

using Names = std::vector<std::string>;

TEST_F(ImageInputs, AreFilesFoldersAndPatternsInTheirOrder) {
  EXPECT_EQ(names({"no_ending", "a.jpg", "missing.jpg"}),
            (Names{"no_ending", "a.jpg", "missing.jpg"}));
  EXPECT_EQ(names({"b"}), (Names{"b/10.PNG", "b/2.jpg", "b/c/1.jpg"}));
  EXPECT_EQ(names({"b/*.jpg", "?.jpg"}), (Names{"b/2.jpg", "a.jpg"}));
  EXPECT_EQ(names({"[1].jpg"}), (Names{"[1].jpg"})) << "a file of that very name";
  EXPECT_EQ(names({"nothing*"}), (Names{"nothing*"})) << "which is found missing when it is read";
}

TEST_F(ImageInputs, AreDataSets) {
  write_whole(dir / "list.csv", "path,label\nb/2.jpg,cat\na.jpg,dog\n");
  EXPECT_EQ(names({"list.csv", "a.jpg"}), (Names{"b/2.jpg", "a.jpg", "a.jpg"}));
  const ImageList images = read_image_inputs({at("list.csv")});
  EXPECT_EQ(images.labels, (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(images.read(1).bytes(), "a.jpg");
}

TEST_F(ImageInputs, AreInMemory) {
  const ImageList images = one_image("frame", "bytes");
  ASSERT_EQ(images.size(), 1);
  EXPECT_EQ(images.read(0).bytes(), "bytes");
  EXPECT_EQ(images.name(0), "frame");
}

TEST_F(ImageInputs, AreWhatAListNames) {
  write_whole(dir / "list", "one.jpg\r\n\nwith blanks .jpg\nlast");
  EXPECT_EQ(read_path_list(at("list")), (Names{"one.jpg", "with blanks .jpg", "last"}));
  using std::string_view_literals::operator""sv;
  write_whole(dir / "list0", "a\nb.jpg\0c.jpg\0"sv);
  EXPECT_EQ(read_path_list(at("list0")), (Names{"a\nb.jpg", "c.jpg"}));
  const StandardInput input(dir / "list");
  EXPECT_EQ(read_path_list("-").size(), 3u);
}

TEST_F(ImageInputs, AreToBeThere) {
  fs::create_directories(dir / "empty");
  EXPECT_EQ(error_of([&] { read_image_inputs({at("empty")}); }),
            at("empty") + ": this folder holds no images (expected .jpg, .png, ...)");
  EXPECT_EQ(error_of([&] { read_image_inputs({}); }),
            "expected images: files, folders, patterns, lists, or - for standard input");
  EXPECT_EQ(error_of([&] {
              read_image_inputs({at("a.jpg"), "-"});
            }),
            "-: images come from standard input or from files, not from both; give - alone");
}

}  // namespace
}  // namespace mobileone
