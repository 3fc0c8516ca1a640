#include "mobileone/data/csv_list.h"

#include "data/support.h"

namespace mobileone {
namespace {

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

struct Table {
  const char* name;
  std::string text;
};

/// The same three images: a.png and "b c.png" of class 2, d.png of class 10.
class CsvDialect : public testing::TestWithParam<Table> {};

TEST_P(CsvDialect, IsReadAsMeant) {
  const TestFolder folder;
  const ImageList list = read_csv_list(folder.write("list.csv", GetParam().text));
  ASSERT_EQ(list.size(), 3);
  EXPECT_EQ(list.name(0), folder.path("a.png"));
  EXPECT_EQ(list.name(1), folder.path("b c.png"));
  EXPECT_EQ(list.name(2), folder.path("d.png"));
  if (list.class_names.empty()) {
    EXPECT_EQ(list.labels, (std::vector<int32_t>{2, 2, 10}));
  } else {
    EXPECT_EQ(list.class_names, (std::vector<std::string>{"10", "2"}));
    EXPECT_EQ(list.labels, (std::vector<int32_t>{1, 1, 0}));
  }
  EXPECT_EQ(list.are_indices, std::string_view(GetParam().name) == "Index");
}

std::string utf16(std::string_view text, bool big_endian, bool mark) {
  std::string bytes = !mark ? "" : big_endian ? "\xfe\xff" : "\xff\xfe";
  for (const char c : text) bytes += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
  return bytes;
}

constexpr const char* kPlain = "path,label\na.png,2\nb c.png,2\nd.png,10\n";

INSTANTIATE_TEST_SUITE_P(
    Tables, CsvDialect,
    testing::Values(Table{"Plain", kPlain},
                    Table{"Semicolons", "file;class\na.png;2\nb c.png;2\nd.png;10\n"},
                    Table{"Tabs", "image\ttarget\na.png\t2\nb c.png\t2\nd.png\t10\n"},
                    Table{"MarkAndCrLf",
                          "\xef\xbb\xbf"
                          "filename,label\r\na.png,2\r\nb c.png,2\r\nd.png,10\r\n"},
                    Table{"Blanks", "path, label\na.png, 2\n \"b c.png\" , 2\nd.png , 10 \n"},
                    Table{"Capitals", "Image Path,Class\na.png,2\nb c.png,2\nd.png,10\n"},
                    Table{"EmptyRows", "path,label\n\n,\na.png,2\n , \nb c.png,2\nd.png,10\n,,,\n"},
                    Table{"EmptyFieldsBehind", "path;label\na.png;2;\nb c.png;2;;\nd.png;10\n"},
                    Table{"Floats", "path,label\na.png,2.0\nb c.png,2.0\nd.png,10.0\n"},
                    Table{"LeadingZeros", "path,label\na.png,02\nb c.png,2\nd.png,10\n"},
                    Table{"Index", "file_name,class_index,x\na.png,2,\nb c.png,2,y\nd.png,10,z\n"},
                    Table{"Names", "img_path,class_name\na.png,2\nb c.png,2\nd.png,10\n"},
                    Table{"Utf16Le", utf16(kPlain, false, true)},
                    Table{"Utf16Be", utf16(kPlain, true, true)},
                    Table{"Utf16WithoutMark", utf16(kPlain, false, false)}),
    [](const auto& table) { return table.param.name; });

TEST(CsvList, WhatAFileMayCostIsBounded) {
  const TestFolder folder;
  const std::string commas =
      folder.write("commas.csv", "path,label\n" + std::string(10'000'000, ',') + "\n");
  EXPECT_EQ(error_of([&] { read_csv_list(commas); }), commas + ":2: has more than 1024 fields");
  const std::string text =
      folder.write("text.csv", "path,label\n" + std::string(10'000'000, 'x') + ",1\n");
  EXPECT_EQ(error_of([&] { read_csv_list(text); }), text + ":2: has a field of more than 1 MiB");
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
     ":1: the first line names no column `path`, `file` or `image`, it names: a.png, 3"},
    {"path,x\nb.png,4\n",
     ":1: the first line names no column `label`, `class_index` or `class_name`, it names: path, "
     "x"},
    {"path,label\na.png,1\nb.png\n", ":3: has 1 fields, expected 2 as in the first line"},
    {"path,label\na.png,1\nb.png,\n", ":3: `label` is empty"},
    {"path,label\n,1\n", ":2: `path` is empty"},
    {"path,label\na.png,-1\n", ":2: label -1 is negative"},
    {"path,label\na.png,2147483648\n",
     ":2: label 2147483648 is too large (the index of a class is below 1000000)"},
    {"path,label\na.png,1\nb.png,2x\n",
     ":3: label `2x` is not an integer, the labels above are integers"},
    {"path,label\na.png,cat\nb.png,2\n", ":3: label `2` is an integer, the labels above are names"},
    {"path,label\na.png,1000000\n",
     ":2: label 1000000 is too large (the index of a class is below 1000000)"},
    {"path,label\na.png,99999999999999999999\n",
     ":2: label 99999999999999999999 is too large (the index of a class is below 1000000)"},
    {"path,class_index\na.png,cat\n",
     ":2: label `cat` is no integer, expected the index of a class"},
    {"path,label\na.png,1,x\n", ":2: has 3 fields, expected 2 as in the first line"},
    {"path,label\n\"a.png,1\n", ":2: a quoted field is not closed"},
};

INSTANTIATE_TEST_SUITE_P(Bad, CsvListError, testing::ValuesIn(kBadLists));

}  // namespace
}  // namespace mobileone
