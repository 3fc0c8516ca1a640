// Images with boxes in everything that a data set can be.
#include <filesystem>
#include <fstream>
#include <utility>

#include "data/object_set_files.h"
#include "data/tar_bytes.h"
#include "mobileone/data/box_cut.h"
#include "mobileone/data/detect_transforms.h"
#include "mobileone/data/loader.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/object_writers.h"
#include "mobileone/data/pack.h"
#include "mobileone/util/endian.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

constexpr PackSettings kSmaller{.decoded = true, .short_side = 40};

class ObjectStorage : public testing::Test {
 protected:
  ObjectStorage() : list_(write_object_pictures(folder_)) {}

  std::string path(const std::string& name) const { return folder_.path(name); }

  PackSummary pack(const std::string& name, const PackSettings& settings = {}) const {
    return write_pack(list_, path(name), settings, 2);
  }

  static std::vector<Batch> batches(const ImageList& list) {
    Loader loader(list, {.batch_size = 4, .workers = 2, .seed = 3, .shuffle = true});
    loader.start_epoch(1, detect_train_transform({}, {}, 48));
    std::vector<Batch> all;
    while (auto batch = loader.next()) all.push_back(std::move(*batch));
    return all;
  }

  static void expect_same(const ImageList& list, const ImageList& expected) {
    EXPECT_EQ(list.class_names, expected.class_names);
    EXPECT_EQ(list.labels, expected.labels);
    EXPECT_EQ(list.objects->objects, expected.objects->objects);
    EXPECT_EQ(list.objects->ends, expected.objects->ends);
    EXPECT_EQ(list.objects->image_ids, expected.objects->image_ids);
    EXPECT_EQ(list.objects->category_ids, expected.objects->category_ids);
  }

  TestFolder folder_;
  ImageList list_;
};

TEST_F(ObjectStorage, BatchesAreTheSameFromFilesAndPack) {
  pack("x.pack");
  const ImageList packed = read_object_list(path("x.pack"), "", {});
  expect_same(packed, list_);
  EXPECT_EQ(fingerprint(packed), fingerprint(list_));
  const auto expected = batches(list_), found = batches(packed);
  ASSERT_EQ(expected.size(), 3u);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(found[i].images.equal(expected[i].images));
    EXPECT_EQ(found[i].objects, expected[i].objects);
  }
}

TEST_F(ObjectStorage, APackOfPixelsReducesBoxesAsTheirImages) {
  for (const PackSettings& settings : {kSmaller, {.decoded = true, .max_side = 50}}) {
    fs::remove(path("x.pack"));
    pack("x.pack", settings);
    const ImageList packed = read_pack(path("x.pack"));
    for (int64_t i = 0; i < list_.size(); ++i) {
      const at::Tensor image = read_pixels(packed, i);
      const Cut cut{.box = {0, 0, 60 + i, 80},
                    .height = image.size(0),
                    .width = image.size(1),
                    .window = {0, 0, image.size(0), image.size(1)}};
      EXPECT_TRUE(image.equal(apply_cut(cut, read_pixels(list_, i))));
      const auto found = packed.annotation(i).objects, own = list_.annotation(i).objects;
      ASSERT_EQ(found.size(), own.size());
      for (size_t k = 0; k < own.size(); ++k) EXPECT_EQ(found[k], cut_object(cut, own[k]));
    }
  }
}

TEST_F(ObjectStorage, APackIsTheSameFromAPack) {
  pack("x.pack");
  pack("pixels.pack", kSmaller);
  write_pack(read_pack(path("x.pack")), path("again.pack"), {}, 1);
  EXPECT_TRUE(read_file(path("again.pack")) == read_file(path("x.pack")));
  write_pack(read_pack(path("x.pack")), path("again_pixels.pack"), kSmaller, 1);
  EXPECT_TRUE(read_file(path("again_pixels.pack")) == read_file(path("pixels.pack")));
}

TEST_F(ObjectStorage, APackOfOtherBoxesIsAnotherPack) {
  pack("x.pack");
  EXPECT_TRUE(pack("x.pack").was_there);
  auto changed = std::make_shared<ObjectTable>(*list_.objects);
  changed->objects[3].box.left += 1e-9;
  list_.objects = changed;
  EXPECT_NE(error_of([&] { pack("x.pack"); }).find("is there already"), std::string::npos);
}

TEST_F(ObjectStorage, APackGoesOnWhereItWasInterrupted) {
  for (const PackSettings& settings : {PackSettings{}, kSmaller}) {
    fs::remove(path("whole.pack"));
    pack("whole.pack", settings);
    const std::string whole = read_file(path("whole.pack"));
    const uint64_t index = little_endian(whole, whole.size() - 32, 8);
    const uint64_t objects = index + list_.size() * 32;
    // As a writer leaves it that was killed behind the record of the fifth image (of 0 + 1 + 2 + 3
    // + 0 objects) or the fourth, with more or fewer objects than entries.
    for (const auto& [entries, kept] : {std::pair{5, 6}, {5, 7}, {4, 6}, {4, 4}}) {
      fs::rename(path("pictures/b/05.jpg"), path("05.jpg"));
      EXPECT_NE(error_of([&] { pack("x.pack", settings); }), "nothing was thrown");
      fs::rename(path("05.jpg"), path("pictures/b/05.jpg"));
      const auto leave = [&](const char* file, const std::string& bytes) {
        std::ofstream(path(std::string("x.pack.partial/") + file), std::ios::binary) << bytes;
      };
      leave("records", whole.substr(0, index));
      leave("objects", whole.substr(objects, kept * 48 + 5));
      leave("index", whole.substr(index, entries * 32 + 7));
      EXPECT_EQ(pack("x.pack", settings).unreadable, 0);
      EXPECT_TRUE(read_file(path("x.pack")) == whole) << entries << " " << kept;
      EXPECT_FALSE(fs::exists(path("x.pack.partial")));
      fs::remove(path("x.pack"));
    }
  }
}

TEST_F(ObjectStorage, ADamagedImageIsAnEmptyRecordAndKeepsItsBoxes) {
  folder_.write("pictures/a/03.png", "no picture");
  testing::internal::CaptureStderr();
  EXPECT_EQ(pack("x.pack", kSmaller).unreadable, 1);
  testing::internal::GetCapturedStderr();
  const ImageList packed = read_pack(path("x.pack"));
  EXPECT_NE(error_of([&] { packed.read(3); }), "nothing was thrown");
  EXPECT_EQ(packed.annotation(3).objects, list_.annotation(3).objects);
}

/// Annotations of VOC's stand before their images and behind them, in two shards.
TEST_F(ObjectStorage, ShardsHoldWhatAFolderOfVocDoes) {
  testing::internal::CaptureStderr();
  write_object_files(list_, {.output = path("voc"), .format = DataFormat::kVoc});
  const ImageList folder = read_object_list(path("voc/JPEGImages"), "", {});
  std::string bytes;
  for (int64_t i = 0; i < folder.size(); ++i) {
    const std::string name = folder.storage->relative_name(i);
    const std::string key = name.substr(0, name.find('.')), xml = key + ".xml";
    const std::string image = tar_member(name, folder.read(i).bytes());
    const std::string boxes = tar_member(xml, read_file(path("voc/Annotations/" + xml)));
    bytes += i % 2 == 0 ? image + boxes : boxes + image;
    if (i == 4) folder_.write("shards/0.tar", std::exchange(bytes, "") + tar_end());
  }
  folder_.write("shards/1.tar", bytes + tar_end());
  EXPECT_EQ(read_object_list(path("shards"), "", {}).class_names.size(), 3u) << "those that occur";
  folder_.write("shards/classes.txt", read_file(path("voc/classes.txt")));
  for (const ImageList& list :
       {read_object_list(path("shards"), "", {}), read_any_list(path("shards"), "", {})}) {
    EXPECT_EQ(list.class_names, folder.class_names);
    EXPECT_EQ(list.labels, folder.labels);
    EXPECT_EQ(list.objects->objects, folder.objects->objects);
    EXPECT_EQ(list.objects->ends, folder.objects->ends);
    EXPECT_TRUE(list.read(6).bytes() == folder.read(6).bytes());
  }
  testing::internal::GetCapturedStderr();
}

TEST_F(ObjectStorage, AnImageOfAShardWithoutBoxesIsNamed) {
  const std::string image(list_.read(0).bytes()), boxes = "<annotation/>";
  folder_.write("x.tar", tar_member("a.png", image) + tar_member("a.xml", boxes) +
                             tar_member("b.png", image) + tar_end());
  EXPECT_EQ(
      error_of([&] { read_object_list(path("x.tar"), "", {}); }),
      path("x.tar") +
          ": sample `b` has no boxes (expected a .xml of Pascal VOC's beside its image); 1 of "
          "2 images have none");
  folder_.write("y.tar", tar_member("a.png", image) + tar_member("a.xml", "no") +
                             tar_member("a.cls", "3") + tar_end());
  EXPECT_TRUE(error_of([&] {
                read_object_list(path("y.tar"), "", {});
              }).starts_with(path("y.tar") + " > a.xml: is text"));
  EXPECT_EQ(read_image_list(path("y.tar")).labels, std::vector<int32_t>{3});
  EXPECT_EQ(read_any_list(path("y.tar"), "", {}).labels, std::vector<int32_t>{3});
}

TEST_F(ObjectStorage, BoxesAreNotReadAsLabelsNorLabelsAsBoxes) {
  pack("x.pack");
  EXPECT_EQ(
      error_of([&] { read_image_list(path("x.pack")); }),
      path("x.pack") + ": its images have boxes, not labels; boxes are for model.head=ssdlite");
  EXPECT_EQ(error_of([&] { read_mask_list(path("x.pack"), "", {}); }),
            path("x.pack") + ": holds no masks, which segmentation needs");
  EXPECT_TRUE(read_any_list(path("x.pack"), "", {}).objects);
  write_png(path("set/cat/1.png"), at::zeros({4, 4, 3}, at::kByte));
  write_pack(read_image_list(path("set")), path("labels.pack"), {}, 1);
  EXPECT_EQ(error_of([&] { read_object_list(path("labels.pack"), "", {}); }),
            path("labels.pack") + ": holds no boxes, which detection needs");
}

}  // namespace
}  // namespace mobileone
