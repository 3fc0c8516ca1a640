#include "mobileone/data/mask_sets.h"

#include "data/support.h"

namespace mobileone {
namespace {

const std::string kNoPixels = "not opened";

std::string mask_of(std::initializer_list<uint8_t> labels) {
  at::Tensor mask = at::empty({1, static_cast<int64_t>(labels.size())}, at::kByte);
  std::copy(labels.begin(), labels.end(), mask.mutable_data_ptr<uint8_t>());
  return encode_png_indices(mask, voc_palette());
}

class MaskSets : public testing::Test {
 protected:
  void write(std::initializer_list<std::string> files) {
    for (const std::string& file : files) folder_.write(file, kNoPixels);
  }
  ImageList read(const std::string& path, const std::string& masks = "") {
    return read_mask_list(folder_.path(path), masks.empty() ? "" : folder_.path(masks), data_);
  }
  /// "image mask" below the folder, for each.
  std::vector<std::string> pairs(const ImageList& list) {
    std::vector<std::string> result;
    const size_t root = folder_.path().size() + 1;
    for (int64_t i = 0; i < list.size(); ++i) {
      result.push_back(list.name(i).substr(root) + " " + list.masks->name(i).substr(root));
    }
    return result;
  }

  TestFolder folder_;
  DataConfig data_;
};

TEST_F(MaskSets, OfCamVidLieInFoldersBesideEachOther) {
  write({"train/b.jpg", "train/a.png", "trainannot/a.png", "trainannot/b.png"});
  const ImageList list = read("train");
  EXPECT_EQ(pairs(list), (std::vector<std::string>{"train/a.png trainannot/a.png",
                                                   "train/b.jpg trainannot/b.png"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{-1, -1}));
  EXPECT_EQ(list.class_names.size(), 11u);
  EXPECT_EQ(list.class_name(8), "Car");
  EXPECT_EQ(list.mask_labels.ignore_label, 11);
  EXPECT_EQ(read("train/").labels.size(), 2u);
}

TEST_F(MaskSets, TakeTheirClassesFromATextBesideTheFolders) {
  write(
      {"images/train/a.jpg", "images/train/c/d.jpg", "labels/train/a.png", "labels/train/c/d.png"});
  EXPECT_TRUE(read("images/train").class_names.empty());
  folder_.write("labels/classes.txt", "sky\nroad\n");
  const ImageList list = read("images/train");
  EXPECT_EQ(pairs(list)[1], "images/train/c/d.jpg labels/train/c/d.png");
  EXPECT_EQ(list.class_names, (std::vector<std::string>{"sky", "road"}));
  EXPECT_EQ(list.mask_labels.num_classes, 2);
  EXPECT_EQ(list.mask_labels.ignore_label, 255);
}

TEST_F(MaskSets, AreFoundByAnyOfTheUsualNames) {
  for (const std::string name : {"annotations", "masks", "labels"}) {
    const std::string set = "of_" + name;
    write({set + "/images/a.jpg", set + "/" + name + "/a.png"});
    for (const std::string& path : {set, set + "/images"}) {
      EXPECT_EQ(pairs(read(path)),
                (std::vector<std::string>{set + "/images/a.jpg " + set + "/" + name + "/a.png"}));
      EXPECT_TRUE(names_mask_set(folder_.path(path)));
    }
  }
}

TEST_F(MaskSets, LieWhereTheyAreSaidTo) {
  write({"photos/a.jpg", "elsewhere/a.png"});
  EXPECT_EQ(pairs(read("photos", "elsewhere")),
            (std::vector<std::string>{"photos/a.jpg elsewhere/a.png"}));
  EXPECT_FALSE(names_mask_set(folder_.path("photos")));
}

TEST_F(MaskSets, OfAde20kIgnoreZero) {
  write({"ADEChallengeData2016/images/training/ADE_train_1.jpg",
         "ADEChallengeData2016/annotations/training/ADE_train_1.png"});
  const ImageList list = read("ADEChallengeData2016/images/training");
  EXPECT_TRUE(list.mask_labels.reduce_zero_label);
  EXPECT_EQ(list.class_names.size(), 150u);
  EXPECT_EQ(list.class_name(0), "wall");
  EXPECT_EQ(list.class_name(149), "flag");
}

TEST_F(MaskSets, OfCamVidAreListedWithPathsOfAnotherMachine) {
  write({"CamVid/train/a.png", "CamVid/trainannot/a.png", "CamVid/train/b.png",
         "CamVid/trainannot/b.png"});
  folder_.write("CamVid/train.txt",
                "/SegNet/CamVid/train/b.png /SegNet/CamVid/trainannot/b.png\r\n"
                "/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png\n\n");
  const ImageList list = read("CamVid/train.txt");
  EXPECT_EQ(pairs(list), (std::vector<std::string>{"CamVid/train/b.png CamVid/trainannot/b.png",
                                                   "CamVid/train/a.png CamVid/trainannot/a.png"}));
  EXPECT_EQ(list.class_names.size(), 11u);
  EXPECT_EQ(list.storage->relative_name(0), "train/b.png");
}

TEST_F(MaskSets, OfVocAreListedByNames) {
  const std::string kit = "VOCdevkit/VOC2012/";
  write({kit + "JPEGImages/2007_1.jpg", kit + "JPEGImages/2007_2.jpg",
         kit + "SegmentationClass/2007_1.png", kit + "SegmentationClassAug/2007_2.png"});
  folder_.write(kit + "ImageSets/Segmentation/train.txt", "2007_1\n2007_2\n");
  const std::vector<std::string> expected = {
      kit + "JPEGImages/2007_1.jpg " + kit + "SegmentationClass/2007_1.png",
      kit + "JPEGImages/2007_2.jpg " + kit + "SegmentationClassAug/2007_2.png"};
  const ImageList list = read(kit + "ImageSets/Segmentation/train.txt");
  EXPECT_EQ(pairs(list), expected);
  EXPECT_EQ(list.class_names.size(), 21u);
  EXPECT_EQ(list.mask_labels.ignore_label, 255);

  folder_.write(kit + "list/train_aug.txt",
                "/JPEGImages/2007_1.jpg /SegmentationClass/2007_1.png\n"
                "/JPEGImages/2007_2.jpg /SegmentationClassAug/2007_2.png\n");
  EXPECT_EQ(pairs(read(kit + "list/train_aug.txt")), expected);
  EXPECT_EQ(error_of([&] { read(kit); }),
            folder_.path(kit) + ": is a whole devkit; name one of its lists, for instance " +
                folder_.path(kit) + "ImageSets/Segmentation/train.txt");
}

TEST_F(MaskSets, OfAFormatMeanWhatTheFormatSays) {
  write({"images/a.jpg", "masks/a.png"});
  data_.format = DataFormat::kVoc;
  EXPECT_EQ(read("images").class_names.size(), 21u);
  data_.format = DataFormat::kAde20k;
  EXPECT_TRUE(read("images").mask_labels.reduce_zero_label);
  data_.format = DataFormat::kFolders;
  data_.ignore_label = 7;
  EXPECT_EQ(read("images").mask_labels.ignore_label, 7);
}

TEST_F(MaskSets, WithoutAMaskAreRefused) {
  write({"train/a.jpg", "train/b.jpg", "train/c.jpg", "trainannot/b.png"});
  EXPECT_EQ(error_of([&] { read("train"); }),
            folder_.path("train/a.jpg") + ": has no mask (expected " +
                folder_.path("trainannot/a.png") + "); 2 of 3 images have none");
  EXPECT_EQ(error_of([&] { read("trainannot"); }),
            folder_.path("trainannot") +
                ": no masks are beside this folder of images (expected trainannotannot, or for a "
                "folder `images` one called annotations, masks or labels); name theirs, "
                "data.train_masks or data.val_masks");
  EXPECT_EQ(error_of([&] { read("train", "train"); }),
            folder_.path("train") +
                ": holds images and masks alike; move the masks into a folder of their own");
}

TEST_F(MaskSets, ThatCannotBeFoundAreNamedByLine) {
  write({"a.jpg", "a.png"});
  folder_.write("list.txt", "x/a.jpg x/a.png\n/x/b.jpg /x/b.png\n");
  EXPECT_EQ(error_of([&] { read("list.txt"); }),
            folder_.path("list.txt") + ":2: there is no image /x/b.jpg");
  folder_.write("list.txt", "a.jpg b.png\n");
  EXPECT_EQ(error_of([&] { read("list.txt"); }),
            folder_.path("list.txt") + ":1: there is no mask b.png");
  folder_.write("list.txt", "a.jpg\n");
  EXPECT_EQ(error_of([&] { read("list.txt"); }),
            folder_.path("list.txt") +
                ":1: `a.jpg` is not an image's path and its mask's, with a blank between");
  folder_.write("list.txt", "\n");
  EXPECT_EQ(error_of([&] { read("list.txt"); }),
            folder_.path("list.txt") +
                ": lists no images (expected a line with an image's path and its mask's each)");
}

TEST_F(MaskSets, WarnOfMasksWithoutAnImage) {
  write({"train/a.jpg", "trainannot/a.png", "trainannot/b.png"});
  testing::internal::CaptureStderr();
  EXPECT_EQ(read("train").size(), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("masks without an image (1)"),
            std::string::npos);
}

TEST_F(MaskSets, HaveAsManyClassesAsTheLargestLabelSays) {
  write({"images/a.jpg", "images/b.jpg"});
  folder_.write("masks/a.png", mask_of({0, 255, 4}));
  folder_.write("masks/b.png", mask_of({255, 6}));
  const ImageList list = read("images");
  testing::internal::CaptureStderr();
  EXPECT_EQ(count_mask_classes(list, 2), 7);
  EXPECT_TRUE(list.annotation(0).mask.equal(at::tensor({0, 255, 4}, at::kByte).view({1, 3})));
  folder_.write("masks/a.png", mask_of({255}));
  folder_.write("masks/b.png", mask_of({255}));
  EXPECT_EQ(error_of([&] { count_mask_classes(list, 1); }),
            folder_.path("images") + ": none of its masks has a class");
  testing::internal::GetCapturedStderr();
}

TEST_F(MaskSets, NameADamagedMask) {
  write({"images/a.jpg", "masks/a.png"});
  EXPECT_EQ(error_of([&] { read("images").annotation(0); }),
            folder_.path("masks/a.png") +
                ": is text that begins with `not opened`, expected a mask: a grey or palette PNG "
                "whose values are classes");
}

}  // namespace
}  // namespace mobileone
