#include "mobileone/data/segment_transforms.h"

#include <set>

#include "data/support.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/loader.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/mask_sets.h"

namespace mobileone {
namespace {

constexpr int64_t kField = 24;  // px

/// A picture of square fields, each of a class whose colour tells it.
Sample draw_classes(int64_t height, int64_t width, Random& random) {
  at::Tensor mask = at::zeros({height, width}, at::kByte);
  for (int64_t top = 0; top < height; top += kField) {
    for (int64_t left = 0; left < width; left += kField) {
      mask.narrow(0, top, std::min(height - top, kField))
          .narrow(1, left, std::min(width - left, kField))
          .fill_(random.integer(4));
    }
  }
  const at::Tensor colours = at::tensor({30, 90, 160, 230}, at::kByte);
  const at::Tensor levels = colours.index_select(0, mask.flatten().to(at::kLong));
  return {levels.view({height, width, 1}).expand({-1, -1, 3}).contiguous(), {-1, mask}};
}

/// Of a mask's pixels, those in whose neighbourhood, inside the mask, there is no other label.
at::Tensor away_from_edges(const at::Tensor& mask) {
  const at::Tensor levels = mask.to(at::kFloat).unsqueeze(0).unsqueeze(0);
  const auto most = [](const at::Tensor& x) { return at::max_pool2d(x, {9, 9}, {1, 1}, {4, 4}); };
  const auto inner = [](const at::Tensor& x) {
    return x.narrow(-2, 4, x.size(-2) - 8).narrow(-1, 4, x.size(-1) - 8);
  };
  at::Tensor result = at::zeros_like(mask, at::kBool);
  inner(result).copy_(inner(most(levels) == -most(-levels)).squeeze());
  return result;
}

AugmentConfig geometry(double rotate) {
  AugmentConfig augment;
  augment.segment.short_side = {40, 160};
  augment.segment.long_side = 200;
  augment.segment.blur = augment.segment.photometric = 0;
  augment.segment.rotate = rotate;
  return augment;
}

TEST(SegmentTransform, MovesImageAndMaskTogether) {
  const at::Tensor colours = at::tensor({30, 90, 160, 230}, at::kInt);
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const auto side = [&] { return kField * (3 + random.integer(4)); };
    const int64_t height = side(), width = side();
    const Sample sample = draw_classes(height, width, random);
    const auto interpolation = seed % 2 == 0 ? Interpolation::kBilinear : Interpolation::kBicubic;
    const Sample result = segment_train_transform(geometry(seed % 3 == 0 ? 0 : 10), interpolation,
                                                  96)(sample, random);
    const at::Tensor& mask = result.annotation.mask;
    ASSERT_EQ(mask.sizes(), (std::vector<int64_t>{96, 96}));
    const at::Tensor counts = away_from_edges(mask);
    ASSERT_GT(counts.sum().item<int64_t>(), 0);
    const at::Tensor ignored = mask.eq(kIgnored);
    const at::Tensor classes = mask.masked_fill(ignored, 0).to(at::kLong);
    at::Tensor expected = colours.index_select(0, classes.flatten()).view({96, 96});
    expected.masked_fill_(ignored, 0);
    const at::Tensor difference = (result.image.select(2, 1).to(at::kInt) - expected).abs();
    EXPECT_LE(difference.masked_select(counts).max().item<int>(), 12) << seed;
  }
}

TEST(SegmentTransform, PadsAtRightAndBottomWhetherFlippedOrNot) {
  for (const double flip : {0.0, 1.0}) {
    AugmentConfig augment = geometry(0);
    augment.flip = flip;
    augment.segment.short_side = {50, 50};
    Random random(1);
    const Sample sample{at::full({100, 140, 3}, 200, at::kByte),
                        {-1, at::full({100, 140}, 3, at::kByte)}};
    const Sample result =
        segment_train_transform(augment, Interpolation::kBilinear, 96)(sample, random);
    at::Tensor expected = at::full({96, 96}, 255, at::kByte);
    expected.narrow(0, 0, 50).narrow(1, 0, 70).fill_(3);
    EXPECT_TRUE(result.annotation.mask.equal(expected));
    EXPECT_TRUE(result.image.select(2, 0).eq(200).equal(expected.eq(3)));
    EXPECT_TRUE(result.image.select(2, 0).eq(0).equal(expected.eq(255)));
  }
}

TEST(SegmentTransform, ResizesTheShortSideUnlessTheLongOneIsTooLong) {
  AugmentConfig augment;
  augment.segment.short_side = {300, 300};
  augment.segment.long_side = 600;
  const Transform transform = segment_train_transform(augment, Interpolation::kBilinear, 64);
  Random random(0);
  const Cut plain = transform.cut(400, 500, {}, random);
  EXPECT_EQ(plain.height, 300);
  EXPECT_EQ(plain.width, 375);
  const Cut limited = transform.cut(100, 1000, {}, random);
  EXPECT_EQ(limited.height, 60);
  EXPECT_EQ(limited.width, 600);
}

TEST(SegmentTransform, DrawsShortSidesAndCropsEverywhere) {
  AugmentConfig augment;
  augment.segment.short_side = {256, 258};
  augment.flip = 0;
  const Transform transform = segment_train_transform(augment, Interpolation::kBilinear, 254);
  std::set<int64_t> sides, tops;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const Cut cut = transform.cut(256, 300, {}, random);
    sides.insert(cut.height);
    tops.insert(cut.window.top);
    EXPECT_LE(cut.window.top + cut.window.height, cut.height);
    EXPECT_LE(cut.window.left + cut.window.width, cut.width);
  }
  EXPECT_EQ(sides, (std::set<int64_t>{256, 257, 258}));
  EXPECT_EQ(tops, (std::set<int64_t>{0, 1, 2, 3, 4}));
}

TEST(SegmentTransform, AvoidsCropsOfOneClass) {
  AugmentConfig augment = geometry(0);
  augment.segment.short_side = {100, 100};
  augment.segment.long_side = 1000;
  Annotation annotation{-1, at::zeros({100, 400}, at::kByte)};
  annotation.mask.narrow(1, 180, 40).fill_(1);
  const auto share_of_good = [&](double max_share) {
    augment.segment.max_class_share = max_share;
    const Transform transform = segment_train_transform(augment, Interpolation::kBilinear, 80);
    int good = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      Random random(seed);
      const Cut cut = transform.cut(100, 400, annotation, random);
      good += largest_share(cut_mask(cut, annotation.mask)) <= 0.75 ? 1 : 0;
    }
    return good / 200.0;
  };
  EXPECT_NEAR(share_of_good(1), 0.25, 0.1);
  EXPECT_GT(share_of_good(0.75), 0.9);
}

TEST(SegmentTransform, IsAFunctionOfTheStream) {
  Random drawing(5);
  const Sample sample = draw_classes(90, 120, drawing);
  AugmentConfig augment = geometry(10);
  augment.segment.blur = augment.segment.photometric = 0.5;
  const Transform transform = segment_train_transform(augment, Interpolation::kBilinear, 64);
  std::vector<Sample> first;
  for (const int round : {0, 1}) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      Random random(seed);
      Sample result = transform(sample, random);
      if (round == 0) {
        first.push_back(std::move(result));
      } else {
        EXPECT_TRUE(result.image.equal(first[seed].image));
        EXPECT_TRUE(result.annotation.mask.equal(first[seed].annotation.mask));
      }
    }
  }
  EXPECT_FALSE(first[0].image.equal(first[1].image));
}

TEST(PhotometricDistortion, ReordersChannelsAndKeepsAnImageAtProbabilityZero) {
  const at::Tensor image = read_image(golden("operations.png"));
  std::set<std::string> firsts;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    EXPECT_TRUE(photometric_distortion(image, 0, random).equal(image));
    EXPECT_FALSE(photometric_distortion(image, 1, random).equal(image));
  }
}

TEST(LargestShare, LeavesOutWhatIsIgnored) {
  EXPECT_EQ(largest_share(at::tensor({255, 1, 1, 2, 255, 1}, at::kByte).view({2, 3})), 0.75);
  EXPECT_EQ(largest_share(at::full({4, 4}, 255, at::kByte)), 1);
}

class SegmentLoader : public testing::Test {
 protected:
  SegmentLoader() {
    Random random(3);
    for (int64_t i = 0; i < 13; ++i) {
      const Sample sample = draw_classes(80 + i, 100, random);
      const std::string name = fmt::format("{:02}", i);
      write_jpeg(folder_.path("train/" + name + ".jpg"), sample.image, 95);
      folder_.write("trainannot/" + name + ".png",
                    encode_png_indices(sample.annotation.mask, voc_palette()));
    }
    augment_.segment.short_side = {60, 120};
  }
  ImageList list() { return read_mask_list(folder_.path("train"), "", {}); }
  Transform transform() { return segment_train_transform(augment_, Interpolation::kBilinear, 64); }
  std::vector<Batch> read(int64_t workers, int64_t first = 0, bool fast = false) {
    LoaderOptions options{.batch_size = 4, .workers = workers, .seed = 7, .shuffle = true};
    if (fast) options.images.decoding = Decoding::kCropped;
    Loader loader(list(), options);
    loader.start_epoch(2, transform(), first);
    std::vector<Batch> batches;
    while (auto batch = loader.next()) batches.push_back(std::move(*batch));
    return batches;
  }

  TestFolder folder_;
  AugmentConfig augment_;
};

TEST_F(SegmentLoader, BatchesDoNotDependOnWorkersNorOnWhereAnEpochIsTakenUp) {
  const auto expected = read(1);
  ASSERT_EQ(expected.size(), 4u);
  EXPECT_EQ(expected[0].masks.sizes(), (std::vector<int64_t>{4, 64, 64}));
  EXPECT_EQ(expected[3].masks.sizes(), (std::vector<int64_t>{1, 64, 64}));
  EXPECT_EQ(expected[0].labels.sum().item<int64_t>(), -4);
  for (const auto& batches : {read(3), read(2, 0, true), read(2, 2)}) {
    const size_t skipped = expected.size() - batches.size();
    for (size_t i = 0; i < batches.size(); ++i) {
      const Batch& other = expected[skipped + i];
      EXPECT_EQ(batches[i].indices, other.indices);
      EXPECT_TRUE(batches[i].images.equal(other.images));
      EXPECT_TRUE(batches[i].masks.equal(other.masks));
    }
  }
  EXPECT_EQ(read(2, 2).size(), 2u);
}

TEST_F(SegmentLoader, EvaluatesWholePicturesByTheirOwnMasks) {
  DataConfig data;
  data.eval_resize = 40;
  LoaderOptions options = loader_options(data);
  options.images.original_annotations = true;
  Loader loader(list(), options);
  loader.start_epoch(0, segment_eval_transform(data));
  for (int64_t i = 0; i < 13; ++i) {
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->masks.sizes(), (std::vector<int64_t>{1, 80 + i, 100}));
    EXPECT_TRUE(batch->masks[0].equal(list().annotation(i).mask));
    EXPECT_EQ(std::min(batch->images.size(2), batch->images.size(3)), 40);
  }
  data.eval_resize = 0;
  loader.start_epoch(0, segment_eval_transform(data), 5);
  EXPECT_EQ(loader.next()->images.sizes(), (std::vector<int64_t>{1, 3, 85, 100}));
}

TEST_F(SegmentLoader, NamesWhatDiffersInSize) {
  DataConfig data;
  data.eval_resize = 0;
  LoaderOptions options = loader_options(data);
  options.batch_size = 3;
  Loader loader(list(), options);
  loader.start_epoch(0, segment_eval_transform(data));
  EXPECT_EQ(error_of([&] { loader.next(); }),
            folder_.path("train/01.jpg") +
                ": the image has 100 x 81 pixels, others of its batch "
                "100 x 80; take batches of one image");
}

TEST_F(SegmentLoader, LeavesOutADamagedMaskAndOneOfAnotherSize) {
  folder_.write("trainannot/04.png", read_file(folder_.path("trainannot/04.png")).substr(0, 90));
  std::filesystem::copy_file(folder_.path("trainannot/06.png"), folder_.path("trainannot/07.png"),
                             std::filesystem::copy_options::overwrite_existing);
  LoaderOptions options{.batch_size = 13, .any_damage = true};
  Loader loader(list(), options);
  loader.start_epoch(0, transform());
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->masks.size(0), 11);
  EXPECT_EQ(batch->images.size(0), 11);
  ASSERT_EQ(batch->damaged.size(), 2u);
  EXPECT_EQ(batch->damaged[0].message, folder_.path("trainannot/04.png") + ": is a truncated PNG");
  EXPECT_EQ(batch->damaged[1].message,
            folder_.path("train/07.jpg") +
                ": has 100 x 87 pixels, its mask 100 x 86; they must be of one size");
}

TEST_F(SegmentLoader, BatchesAreDividedAsTensorsAre) {
  Batch batch = read(1)[0];
  batch.other_labels = batch.labels.flip(0);
  for (const int64_t parts : {1, 2, 3}) {
    for (int64_t i = 0; i < parts; ++i) {
      const Batch part = batch.part(i, parts);
      EXPECT_TRUE(part.images.equal(batch.images.tensor_split(parts)[i]));
      EXPECT_TRUE(part.masks.equal(batch.masks.tensor_split(parts)[i]));
      EXPECT_TRUE(part.other_labels.equal(batch.other_labels.tensor_split(parts)[i]));
      EXPECT_EQ(std::ssize(part.indices), part.images.size(0));
    }
  }
  EXPECT_EQ(batch.part(1, 3).indices, (std::vector<int64_t>{batch.indices[2]}));
}

}  // namespace
}  // namespace mobileone
