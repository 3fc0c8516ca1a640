#include "mobileone/data/image_list.h"

#include "data/support.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> relative_paths(const ImageList& list, const std::string& folder) {
  std::vector<std::string> paths;
  for (int64_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list.name(i), folder + "/" + list.storage->relative_name(i));
    paths.push_back(list.storage->relative_name(i));
  }
  return paths;
}

TEST(ImageFolder, SortsClassesAndFiles) {
  const TestFolder folder;
  for (const char* name : {"cat/b.JPG", "cat/a.png", "cat/more/0.webp", "ant/z.jpeg",
                           "cat/notes.txt", "cat/._a.png", ".cache/x.jpg", "README.md"}) {
    folder.write(name, "");
  }
  const ImageList list = read_image_list(folder.path());
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"ant", "cat"}));
  EXPECT_EQ(relative_paths(list, folder.path()),
            (std::vector<std::string>{"ant/z.jpeg", "cat/a.png", "cat/b.JPG", "cat/more/0.webp"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{0, 1, 1, 1}));
  EXPECT_EQ(list.origin, folder.path());
}

TEST(ImageFolder, FollowsLinks) {
  const TestFolder folder;
  folder.write("elsewhere/a.jpg", "");
  folder.write("set/cat/b.jpg", "");
  fs::create_directory_symlink(folder.path("elsewhere"), folder.path("set/dog"));
  const ImageList list = read_image_list(folder.path("set"));
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(list.size(), 2);
}

TEST(ImageFolder, SaysWhatIsMissing) {
  const TestFolder folder;
  const auto error = [&](const std::string& name) {
    return error_of([&] { read_image_list(folder.path(name)); });
  };
  EXPECT_EQ(error("set"),
            folder.path("set") + ": no such data set (folder, CSV list, tar shards or pack)");

  folder.write("set/a.jpg", "");
  EXPECT_EQ(error("set"), folder.path("set") +
                              ": holds no class folders (expected one folder of images for each "
                              "class)");
  EXPECT_EQ(error("set/a.jpg"),
            folder.path("set/a.jpg") +
                ": expected a folder of class folders, a CSV list (.csv), tar shards (.tar) or a "
                "pack");

  folder.write("set/cat/notes.txt", "");
  EXPECT_EQ(error("set"), folder.path("set/cat") +
                              ": this folder holds no images (expected .jpg, .png, ...)");
}

TEST(CsvList, ReadsIntegerLabels) {
  const TestFolder folder;
  const std::string csv =
      folder.write("list.csv", "class_index,author,file\n520,\"Doe, J.\",a.png\n7,me,/abs/b.png\n");
  const ImageList list = read_image_list(csv);
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list.name(0), folder.path("a.png"));
  EXPECT_EQ(list.name(1), "/abs/b.png");
  EXPECT_EQ(list.labels, (std::vector<int32_t>{520, 7}));
  EXPECT_TRUE(list.class_names.empty());
}

TEST(CsvList, ReadsNamedLabels) {
  const TestFolder folder;
  const ImageList list =
      read_image_list(folder.write("list.CSV", "path,label\na.png,dog\nb.png,cat\nc.png,dog\n"));
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{1, 0, 1}));
}

struct BadList {
  const char* text;
  const char* message;  // after the file's path
};

class CsvListError : public testing::TestWithParam<BadList> {};

TEST_P(CsvListError, NamesFileAndLine) {
  const TestFolder folder;
  const std::string csv = folder.write("list.csv", GetParam().text);
  EXPECT_EQ(error_of([&] { read_image_list(csv); }), csv + GetParam().message);
}

constexpr BadList kBadLists[] = {
    {"", ": lists no images (expected a line `path,label` and a line for each image)"},
    {"path,label\n", ": lists no images (expected a line `path,label` and a line for each image)"},
    {"a.png,3\nb.png,4\n",
     ":1: the first line names no column `path` or `file`, it names: a.png, 3"},
    {"path,x\nb.png,4\n",
     ":1: the first line names no column `label` or `class_index`, it names: path, x"},
    {"path,label\na.png,1\nb.png\n", ":3: has 1 fields, expected 2 as in the first line"},
    {"path,label\na.png,1\nb.png,\n", ":3: `label` is empty"},
    {"path,label\n,1\n", ":2: `path` is empty"},
    {"path,label\na.png,-1\n", ":2: label -1 is negative"},
    {"path,label\na.png,2147483648\n", ":2: label 2147483648 is too large"},
    {"path,label\na.png,1\nb.png,2x\n",
     ":3: label `2x` is not an integer, the labels above are integers"},
    {"path,label\na.png,cat\nb.png,2\n", ":3: label `2` is an integer, the labels above are names"},
    {"path,label\n\"a.png,1\n", ":2: a quoted field is not closed"},
};

INSTANTIATE_TEST_SUITE_P(Bad, CsvListError, testing::ValuesIn(kBadLists));

TEST(ImageList, ChecksTheRangeOfLabels) {
  const ImageList list = listed("list.csv", "", {{"a.png", 3}, {"b.png", 10}});
  EXPECT_NO_THROW(require_labels_below(list, 11));
  EXPECT_EQ(error_of([&] { require_labels_below(list, 10); }),
            "list.csv: label 10 of b.png is out of range: the network has 10 classes (0 to 9)");
}

TEST(ImageList, HasAFingerprintOfItsLabelsAndPaths) {
  const ImageList list = listed("here/list.csv", "here/", {{"a.png", 3}, {"b/c.png", 10}});
  const ImageList copy =
      listed("/else/where/list.csv", "/else/where/", {{"/else/where/a.png", 3}, {"b/c.png", 10}});
  // sha1 of "3 a.png\n10 b/c.png\n", as sha1sum gives it.
  EXPECT_EQ(fingerprint(list), "c4336ab1ff1876b81629767e2246cd4364733999");
  EXPECT_EQ(fingerprint(copy), fingerprint(list));
  ImageList other = list;
  other.labels[0] = 4;
  EXPECT_NE(fingerprint(other), fingerprint(list));
}

}  // namespace
}  // namespace mobileone
