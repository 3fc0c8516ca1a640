#include "mobileone/data/class_match.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "data/support.h"
#include "data/tar_bytes.h"
#include "mobileone/data/imagenet.h"
#include "mobileone/data/pack.h"

namespace mobileone {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<int32_t>;

/// The twelve classes 0 to 11 as folders sort them.
const Names kSorted = {"0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"};
/// Of each name's class, a network's number.
const KnownClasses kNetwork{kSorted, 12, "best.pth"};

ImageList indexed(const Labels& labels) {
  ImageList list = listed("set", "", {});
  auto files = std::make_shared<ImageFiles>("");
  for (const int32_t label : labels) files->add(fmt::format("{}.jpg", label));
  list.labels = labels;
  list.storage = files;
  return list;
}

/// An image of each class.
ImageList named(const Names& names) {
  Labels labels(names.size());
  std::iota(labels.begin(), labels.end(), 0);
  ImageList list = indexed(labels);
  list.class_names = names;
  return list;
}

std::string error_of_match(const ImageList& list, const KnownClasses& known) {
  return error_of([&] { match_classes(list, known); });
}

/// A set with one image of each class from 0 to 11, in that order by the names of its images.
class SameSet : public testing::Test {
 protected:
  SameSet() {
    for (int i = 0; i < 12; ++i) folder.write(fmt::format("set/{}/{:02}.jpg", i, i), "x");
  }

  std::string csv(const std::string& column) const {
    std::string text = "path," + column + "\n";
    for (int i = 0; i < 12; ++i) text += fmt::format("set/{}/{:02}.jpg,{}\n", i, i, i);
    return folder.write("list.csv", text);
  }

  std::string shards(const std::string& classes, bool by_place = false) const {
    std::string bytes;
    for (int i = 0; i < 12; ++i) {
      const auto place = std::find(kSorted.begin(), kSorted.end(), std::to_string(i));
      const auto label = by_place ? static_cast<int>(place - kSorted.begin()) : i;
      bytes += tar_sample(fmt::format("{:02}", i), "x", label);
    }
    if (!classes.empty()) folder.write("shards/classes.txt", classes);
    return folder.write("shards/x.tar", bytes + tar_end());
  }

  /// The network's class of each image, in the order of the images' names.
  Labels matched(const std::string& path) const {
    const ImageList list = match_classes(read_image_list(path), kNetwork);
    std::map<std::string, int32_t> by_name;
    for (int64_t i = 0; i < list.size(); ++i) {
      const std::string name = list.name(i);
      by_name[name.substr(name.size() - 6)] = list.labels[i];
    }
    Labels labels;
    for (const auto& [name, label] : by_name) labels.push_back(label);
    return labels;
  }

  const TestFolder folder;
  const Labels right = {0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3};
};

TEST_F(SameSet, MeansTheSameClassesHoweverItIsStored) {
  EXPECT_EQ(matched(folder.path("set")), right);
  EXPECT_EQ(matched(csv("class_name")), right);
  EXPECT_EQ(matched(shards("0\n1\n10\n11\n2\n3\n4\n5\n6\n7\n8\n9\n", /*by_place=*/true)), right);
  write_pack(read_image_list(folder.path("set")), folder.path("x.pack"), {}, 1);
  EXPECT_EQ(matched(folder.path("x.pack")), right);
  EXPECT_EQ(matched(csv("class_index")), (Labels{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
      << "for certain";
}

TEST_F(SameSet, IsRefusedWhereItMayMeanOthers) {
  const std::string rest =
      ": label 2 is in doubt: as an index it is the class '10' of best.pth, as a name class 4, "
      "since "
      "names are in the order '0', '1', '10', '11', '2', '3', '4', '5', '6', '7', '8', '9'; say "
      "which by the name of the column in a CSV list, class_index or class_name, or by classes.txt "
      "beside shards";
  for (const std::string& path : {csv("label"), shards("")}) {
    const ImageList list = read_image_list(path);
    EXPECT_EQ(error_of_match(list, kNetwork), path + rest);
    write_pack(list, path + ".pack", {}, 1);
    EXPECT_EQ(error_of_match(read_image_list(path + ".pack"), kNetwork), path + ".pack" + rest);
  }
  // The other way about: the network has numbers, the set has names.
  EXPECT_EQ(
      error_of_match(read_image_list(folder.path("set")), {{}, 12, "best.pth"}),
      folder.path("set") +
          ": its classes are in doubt, since best.pth names none: in the order of names ('0', "
          "'1', '10', '11', '2', '3', '4', '5', '6', '7', '8', '9') class 2 is '10', by its "
          "number it is '2'; say which by a CSV list with a column class_index");
}

TEST(ClassMatch, IntegersInTheirOrderAreInNoDoubt) {
  const Names digits = {"0", "1", "2", "3"};
  EXPECT_EQ(match_classes(indexed({3, 1}), {digits, 4, "x"}).labels, (Labels{3, 1}));
  EXPECT_EQ(match_classes(named(digits), {{}, 4, "x"}).labels, (Labels{0, 1, 2, 3}));
  EXPECT_EQ(match_classes(named({"0", "1"}), {{}, 4, "x"}).labels, (Labels{0, 1}));
}

TEST(ClassMatch, NamesAreMatchedInAnyOrderAndNumber) {
  const KnownClasses pets{{"ant", "cat", "dog"}, 3, "pets.pth"};
  EXPECT_EQ(match_classes(named({"ant", "cat", "dog"}), pets).labels, (Labels{0, 1, 2}));
  EXPECT_EQ(match_classes(named({"dog", "ant"}), pets).labels, (Labels{2, 0}));
  EXPECT_EQ(match_classes(named({"dog"}), pets).class_names, pets.names);
  EXPECT_EQ(match_classes(indexed({2}), pets).labels, (Labels{2}));
  EXPECT_EQ(error_of_match(indexed({3}), pets),
            "set: label 3 of 3.jpg is out of range: the network has 3 classes (0 to 2)");
  EXPECT_EQ(
      error_of_match(named({"cat", "eel"}), pets),
      "set: of its 2 classes, 1 are none of the 3 of pets.pth: 'eel', which has 'ant', 'dog'");
  EXPECT_EQ(error_of_match(named({"cat", "eel"}), {{}, 3, "x.pth"}),
            "set: has 2 classes by name, and x.pth has 3 without names, so that they cannot be "
            "matched; name their indices in a CSV list with a column class_index");
}

TEST(ClassMatch, NamesThatLookAlikeAreExplained) {
  const auto message = [](const char* known, const char* found) {
    return error_of_match(named({found}), {{known}, 1, "x"});
  };
  const std::string form = "looks the same: one has its accents as characters of their own";
  EXPECT_NE(message("café", "cafe\u0301").find(form), std::string::npos);
  EXPECT_NE(message("e\u0302\u0301", "\u1ebf").find(form), std::string::npos) << "Vietnamese";
  EXPECT_NE(message("\uac01", "\u1100\u1161\u11a8").find(form), std::string::npos) << "Korean";
  EXPECT_EQ(message("café", "cafè").find(form), std::string::npos);
  EXPECT_NE(message("Cat", "cat").find("'Cat' differs in case"), std::string::npos);
}

TEST(ClassMatch, OfImageNetByIdsWordsAndNumbers) {
  const auto& [ids, words] = imagenet_classes();
  const KnownClasses published{words, 1000, "s0.pth"};
  EXPECT_EQ(match_classes(named(ids), published).labels[999], 999);
  const Names imagenette = {"n01440764", "n02102040", "n03888257"};
  const Labels places = {0, 217, 701};
  EXPECT_EQ(match_classes(named(imagenette), published).labels, places);
  EXPECT_EQ(match_classes(named(imagenette), {ids, 1000, "mine.pth"}).labels, places);
  EXPECT_EQ(match_classes(named(imagenette), {{}, 1000, "other.pth"}).labels, places);
  // ImageNetV2 names its folders by index.
  EXPECT_EQ(match_classes(named({"0", "10", "999"}), published).labels, (Labels{0, 10, 999}));
  EXPECT_EQ(error_of_match(named({"0", "1000"}), published),
            "set: class '1000' is none of the 1000 of s0.pth, and no index below that");
}

TEST(ClassMatch, SameClasses) {
  EXPECT_TRUE(are_same_classes({"a", "b"}, {"a", "b"}));
  EXPECT_FALSE(are_same_classes({"a", "b"}, {"b", "a"}));
  EXPECT_TRUE(are_same_classes({}, {"a", "b"}));
  EXPECT_TRUE(are_same_classes({}, {}));
  EXPECT_FALSE(are_same_classes(kSorted, {})) << "labels may be in another order";
  EXPECT_FALSE(are_same_classes({}, kSorted));
  EXPECT_TRUE(are_same_classes(imagenet_classes().names, imagenet_classes().ids));
  EXPECT_TRUE(are_same_classes({"a\nb"}, {"a\\x0ab"})) << "an older file's";
}

}  // namespace
}  // namespace mobileone
