// Images with masks in everything that a data set can be.
#include <fstream>

#include "data/support.h"
#include "data/tar_bytes.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/loader.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/png.h"
#include "mobileone/data/segment_transforms.h"
#include "mobileone/data/tar_shards.h"
#include "mobileone/util/endian.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

constexpr PackSettings kReduced{.decoded = true, .short_side = 40};

/// Nine pictures with masks as CamVid has them, its classes and what is ignored.
class MaskStorage : public testing::Test {
 protected:
  MaskStorage() {
    at::manual_seed(5);
    for (int64_t i = 0; i < 9; ++i) {
      const std::string name = fmt::format("{:02}", i);
      const at::Tensor image = at::randint(256, {60 + i, 80, 3}, at::kByte);
      const at::Tensor mask = at::randint(12, {60 + i, 80}, at::kByte);
      write_jpeg(path("train/" + name + ".jpg"), image, 95);
      folder_.write("trainannot/" + name + ".png", encode_png_indices(mask, voc_palette()));
    }
    list_ = read_mask_list(path("train"), "", {});
  }

  std::string path(const std::string& name) const { return folder_.path(name); }

  PackSummary pack(const std::string& name, const PackSettings& settings = {}) const {
    return write_pack(list_, path(name), settings, 2);
  }

  /// Masks stand before their images, behind them, and alone.
  std::string write_shard(const std::string& name) const {
    std::string bytes;
    for (int64_t i = 0; i < list_.size(); ++i) {
      const std::string key = fmt::format("{:02}", i);
      const std::string image = tar_member(key + ".jpg", list_.read(i).bytes());
      const std::string mask = tar_member(key + ".mask.png", list_.read_mask(i).bytes());
      bytes += i % 2 == 0 ? mask + image : image + mask;
    }
    return folder_.write(name, bytes + tar_end());
  }

  static std::vector<Batch> batches(const ImageList& list) {
    AugmentConfig augment;
    augment.segment.short_side = {40, 90};
    Loader loader(list, {.batch_size = 4, .workers = 2, .seed = 3});
    loader.start_epoch(1, segment_train_transform(augment, Interpolation::kBilinear, 48));
    std::vector<Batch> all;
    while (auto batch = loader.next()) all.push_back(std::move(*batch));
    return all;
  }

  TestFolder folder_;
  ImageList list_;
};

TEST_F(MaskStorage, BatchesAreTheSameFromFolderShardAndPack) {
  pack("x.pack");
  DataConfig camvid;
  camvid.format = DataFormat::kCamVid;
  const auto expected = batches(list_);
  ASSERT_EQ(expected.size(), 3u);
  for (const ImageList& list :
       {read_mask_list(path("x.pack"), "", {}), read_mask_list(write_shard("x.tar"), "", camvid)}) {
    EXPECT_EQ(list.class_names, list_.class_names);
    EXPECT_EQ(list.labels, list_.labels);
    const auto found = batches(list);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(found[i].images.equal(expected[i].images));
      EXPECT_TRUE(found[i].masks.equal(expected[i].masks));
    }
  }
  EXPECT_EQ(fingerprint(read_pack(path("x.pack"))), fingerprint(list_));
}

TEST_F(MaskStorage, APackKeepsWhatItsValuesMean) {
  pack("x.pack");
  const int64_t usual = list_.mask_labels.ignore_label;
  list_.mask_labels.ignore_label = 10;
  DataConfig ten;
  ten.ignore_label = 10;
  pack("ten.pack");
  EXPECT_EQ(read_mask_list(path("ten.pack"), "", ten).size(), list_.size());
  EXPECT_EQ(error_of([&] { read_mask_list(path("x.pack"), "", ten); }),
            fmt::format("{}: was packed with data.ignore_label={}, not 10; leave it out or pack "
                        "again",
                        path("x.pack"), usual));
  DataConfig reduced;
  reduced.reduce_zero_label = true;
  EXPECT_EQ(
      error_of([&] { read_mask_list(path("x.pack"), "", reduced); }),
      path("x.pack") + ": was packed without data.reduce_zero_label; leave it out or pack again");
  EXPECT_EQ(error_of([&] { read_mask_list(path("x.pack"), "masks", {}); }),
            path("x.pack") + ": is a pack with its own masks, not those of masks");
}

TEST_F(MaskStorage, APackOfPixelsReducesMasksAsTheirImages) {
  for (const PackSettings& settings : {kReduced, {.decoded = true, .max_side = 50}}) {
    fs::remove(path("x.pack"));
    pack("x.pack", settings);
    const ImageList packed = read_pack(path("x.pack"));
    EXPECT_EQ(packed.class_names, list_.class_names);
    for (int64_t i = 0; i < list_.size(); ++i) {
      const at::Tensor image = read_pixels(packed, i), mask = packed.annotation(i).mask;
      EXPECT_EQ(mask.sizes(), image.sizes().slice(0, 2));
      EXPECT_LE(mask.size(0), 43);
      const int64_t height = 60 + i;
      const Cut cut{.box = {0, 0, height, 80},
                    .height = mask.size(0),
                    .width = mask.size(1),
                    .window = {0, 0, mask.size(0), mask.size(1)}};
      EXPECT_TRUE(mask.equal(cut_mask(cut, list_.annotation(i).mask)));
      EXPECT_TRUE(image.equal(apply_cut(cut, read_pixels(list_, i))));
    }
  }
}

TEST_F(MaskStorage, APackIsTheSameFromAPackAndFromShards) {
  pack("x.pack");
  pack("pixels.pack", kReduced);
  write_pack(read_pack(path("x.pack")), path("again.pack"), {}, 1);
  EXPECT_TRUE(read_file(path("again.pack")) == read_file(path("x.pack")));
  write_pack(read_pack(path("x.pack")), path("again_pixels.pack"), kReduced, 1);
  EXPECT_TRUE(read_file(path("again_pixels.pack")) == read_file(path("pixels.pack")));
  EXPECT_TRUE(pack("x.pack").was_there);
  list_.mask_labels.ignore_label = 10;
  EXPECT_NE(error_of([&] { pack("x.pack"); }).find("is there already"), std::string::npos)
      << "values mean something else";
}

TEST_F(MaskStorage, APackGoesOnWhereItWasInterrupted) {
  pack("whole.pack");
  const std::string whole = read_file(path("whole.pack"));
  fs::rename(path("train/05.jpg"), path("05.jpg"));
  EXPECT_NE(error_of([&] { pack("x.pack"); }), "nothing was thrown");
  fs::rename(path("05.jpg"), path("train/05.jpg"));
  // As a writer leaves it that was killed behind the record of the third image.
  const uint64_t index = little_endian(whole, whole.size() - 32, 8);
  for (const size_t entries : {5, 6}) {
    std::ofstream(path("x.pack.partial/records"), std::ios::binary) << whole.substr(0, index);
    std::ofstream(path("x.pack.partial/index"), std::ios::binary)
        << whole.substr(index, entries * 32 + 7);
    EXPECT_EQ(pack("x.pack").unreadable, 0);
    EXPECT_TRUE(read_file(path("x.pack")) == whole);
    fs::remove(path("x.pack"));
    EXPECT_NE(error_of([&] {
                fs::rename(path("train/05.jpg"), path("05.jpg"));
                pack("x.pack");
              }),
              "nothing was thrown");
    fs::rename(path("05.jpg"), path("train/05.jpg"));
  }
}

TEST_F(MaskStorage, ADamagedMaskEmptiesBothRecords) {
  folder_.write("trainannot/04.png", "no picture");
  testing::internal::CaptureStderr();
  EXPECT_EQ(pack("x.pack", kReduced).unreadable, 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("trainannot/04.png: is text"),
            std::string::npos);
  const ImageList packed = read_pack(path("x.pack"));
  const std::string message = " > 04.jpg: could not be read when the pack was made";
  EXPECT_EQ(error_of([&] { packed.read(4); }), path("x.pack") + message);
  EXPECT_NE(error_of([&] { packed.read_mask(4); }), "nothing was thrown");
  EXPECT_EQ(packed.annotation(5).mask.size(0), 40);
}

TEST_F(MaskStorage, LabelsAreNotReadFromMasksNorMasksFromLabels) {
  pack("x.pack");
  write_shard("x.tar");
  EXPECT_EQ(
      error_of([&] { read_image_list(path("x.pack")); }),
      path("x.pack") + ": its images have masks, not labels; masks are for model.head=deeplabv3");
  EXPECT_EQ(error_of([&] { read_image_list(path("x.tar")); }),
            path("x.tar") +
                ": sample `00` has no label (expected a .cls file, a .json with a \"label\", or "
                "all images in folders of their classes; it has masks, which "
                "model.head=deeplabv3 needs)");
  write_png(path("set/cat/1.png"), at::zeros({4, 4, 3}, at::kByte));
  write_pack(read_image_list(path("set")), path("labels.pack"), {}, 1);
  EXPECT_EQ(error_of([&] { read_mask_list(path("labels.pack"), "", {}); }),
            path("labels.pack") + ": holds no masks, which segmentation needs");
  for (const auto& set : {"x.pack", "x.tar", "train"}) {
    EXPECT_TRUE(read_any_list(path(set), "", {}).masks) << set;
  }
  for (const auto& set : {"labels.pack", "set"}) {
    EXPECT_FALSE(read_any_list(path(set), "", {}).masks) << set;
  }
}

TEST_F(MaskStorage, AnImageOfAShardWithoutAMaskIsNamed) {
  const std::string image(list_.read(0).bytes()), mask(list_.read_mask(0).bytes());
  folder_.write("x.tar", tar_member("a.jpg", image) + tar_member("a.mask.png", mask) +
                             tar_member("b.jpg", image) + tar_member("c.jpg", image) + tar_end());
  EXPECT_EQ(error_of([&] { read_mask_list(path("x.tar"), "", {}); }),
            path("x.tar") +
                ": sample `b` has no mask (expected a .mask.png beside its image); 2 of 3 images "
                "have none");
}

TEST_F(MaskStorage, MasksOfAShardBelongToTheImageOfTheirName) {
  const auto pairs = [&](const std::string& members) {
    const ImageList list = read_shards(folder_.write("x.tar", members + tar_end()),  //
                                       Samples::kMasked);
    std::vector<std::string> result;
    for (int64_t i = 0; i < list.size(); ++i) {
      result.push_back(fmt::format("{} {}", list.read(i).bytes(), list.read_mask(i).bytes()));
    }
    return result;
  };
  using Pairs = std::vector<std::string>;
  EXPECT_EQ(pairs(tar_member("i.0001.mask.PNG", "m1") + tar_member("i.0001.jpg", "i1") +
                  tar_member("i.0002.jpg", "i2") + tar_member("i.0002.mask.png", "m2")),
            (Pairs{"i1 m1", "i2 m2"}));
  EXPECT_EQ(pairs(tar_member("7.input.jpg", "i") + tar_member("7.mask.png", "m")), Pairs{"i m"});
  EXPECT_EQ(pairs(tar_member("7.png", "i") + tar_member("7.mask.png", "m") +
                  tar_member("7.cls", "3") + tar_member("7.txt", "a caption")),
            Pairs{"i m"})
      << "labels are passed over";
  const ImageList labelled = read_image_list(path("x.tar"));
  EXPECT_EQ(labelled.labels, std::vector<int32_t>{3});
  EXPECT_FALSE(labelled.masks);
}

}  // namespace
}  // namespace mobileone
