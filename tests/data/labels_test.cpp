#include "mobileone/data/labels.h"

#include "data/support.h"

namespace mobileone {
namespace {

std::string here() { return "here"; }

TEST(Labels, IntegersAreReadAsTablesWriteThem) {
  EXPECT_EQ(label_integer("0"), 0);
  EXPECT_EQ(label_integer("007"), 7);
  EXPECT_EQ(label_integer("7.000"), 7);
  EXPECT_EQ(label_integer("-1"), -1);
  for (const char* text : {"", "7.", "7.5", "7x", "x7", "7 8", "0x7", "7.0.0", "nan"}) {
    EXPECT_EQ(label_integer(text), std::nullopt) << text;
  }
}

TEST(Labels, NamesAreSortedAndIntegersStay) {
  LabelTable names;
  for (const char* text : {"dog", "cat", "dog"}) names.add(text, here);
  EXPECT_EQ(names.names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(names.classes(names.names()), (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(names.classes({"ant", "dog", "cat"}), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(error_of([&] { names.classes({"cat"}); }),
            "here: label `dog` is not among the names of the 1 classes");

  LabelTable indices;
  for (const char* text : {"10", "2.0", "2"}) indices.add(text, here);
  EXPECT_TRUE(indices.names().empty());
  EXPECT_EQ(indices.classes({}), (std::vector<int32_t>{10, 2, 2}));

  LabelTable integers_as_names(LabelKind::kNames);
  for (const char* text : {"10", "2"}) integers_as_names.add(text, here);
  EXPECT_EQ(integers_as_names.names(), (std::vector<std::string>{"10", "2"}));
}

TEST(Labels, ThereAreNoMoreThanClassesMayBe) {
  LabelTable table;
  for (int i = 0; i < 1'000'000; ++i) table.add("n" + std::to_string(i), [] { return ""; });
  EXPECT_EQ(error_of([&] { table.add("x", here); }),
            "here: label `x`: there are more than 1000000 classes");
  EXPECT_EQ(error_of([] { LabelTable().add(std::string(5000, 'x'), here); }),
            "here: has a label of 5000 bytes, expected a class index or name");
}

TEST(Labels, LegibleNamesAreThemselves) {
  for (const char* name : {"cat", "größe", "犬", "a b", "caf\\xe9"}) {
    EXPECT_EQ(legible_name(name), name);
  }
  EXPECT_EQ(legible_name("a\nb"), "a\\x0ab");
  EXPECT_EQ(legible_name("caf\xe9"), "caf\\xe9");
  EXPECT_NE(legible_name("a\xfe"), legible_name("a\xff"));
}

}  // namespace
}  // namespace mobileone
