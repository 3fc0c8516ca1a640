#include "mobileone/data/loader.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "data/failing_storage.h"
#include "data/support.h"

namespace mobileone {
namespace {

int threads_of_this_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  }
  return 0;
}

/// `count` noisy images in two classes, image i of brightness about i.
ImageList write_images(const TestFolder& folder, int64_t count) {
  Random random(0);
  for (int64_t i = 0; i < count; ++i) {
    at::Tensor image = at::empty({24 + i % 5, 30, 3}, at::kByte);
    uint8_t* level = image.mutable_data_ptr<uint8_t>();
    for (int64_t k = 0; k < image.numel(); ++k)
      level[k] = static_cast<uint8_t>(random.integer(256));
    const std::string name = fmt::format("{}/{:04}.jpg", i % 2 == 0 ? "cat" : "dog", i);
    write_jpeg(folder.path(name), image, 90);
  }
  return read_image_list(folder.path());
}

Transform training() {
  AugmentConfig augment;
  augment.policy = Policy::kAutoAugment;
  return train_transform(augment, Interpolation::kBilinear, 16, 1.0);
}

Transform evaluation() {
  DataConfig data;
  data.eval_resize = 20;
  data.eval_crop = 16;
  return eval_transform(data);
}

std::vector<Batch> read_all(Loader& loader) {
  std::vector<Batch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

std::vector<Batch> read_epoch(Loader& loader, int64_t epoch, int64_t first_batch = 0) {
  loader.start_epoch(epoch, training(), first_batch);
  return read_all(loader);
}

void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].number, b[i].number) << i;
    EXPECT_EQ(a[i].indices, b[i].indices) << i;
    EXPECT_TRUE(a[i].labels.equal(b[i].labels)) << i;
    EXPECT_TRUE(a[i].images.equal(b[i].images)) << i;
    EXPECT_EQ(a[i].mixture_weight, b[i].mixture_weight) << i;
  }
}

LoaderOptions shuffled(int64_t workers, uint64_t seed = 0) {
  return {.batch_size = 4, .workers = workers, .prefetch = 3, .seed = seed, .shuffle = true};
}

TEST(Loader, BatchesDoNotDependOnWorkers) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 21);
  for (uint64_t seed : {0, 1, 2}) {
    Loader one(list, shuffled(1, seed));
    Loader three(list, shuffled(3, seed));
    Loader eight(list, shuffled(8, seed));
    for (int64_t epoch : {0, 1}) {
      const auto batches = read_epoch(one, epoch);
      expect_equal(batches, read_epoch(three, epoch));
      expect_equal(batches, read_epoch(eight, epoch));
    }
  }
}

/// The curriculum's: an epoch of another size begins at its border, whatever is in work then.
TEST(Loader, ChangesSizesBetweenEpochsWithTheSameWorkers) {
  const TestFolder folder;
  Loader loader(write_images(folder, 21), shuffled(3));
  loader.start_epoch(0, training());
  const int threads = threads_of_this_process();
  loader.next();
  for (int64_t size : {24, 8, 32}) {
    const auto transform = train_transform({}, Interpolation::kBilinear, size, 0.5);
    loader.start_epoch(size, transform);
    const std::vector<Batch> batches = read_all(loader);
    EXPECT_EQ(batches.size(), 6u);
    for (const Batch& batch : batches) EXPECT_EQ(batch.images.size(2), size);
    EXPECT_EQ(threads_of_this_process(), threads);
  }
}

TEST(Loader, ABalancedEpochAugmentsEachDrawAnew) {
  const TestFolder folder;
  ImageList list = write_images(folder, 21);
  list.labels.assign(21, 0);
  list.labels[4] = 1;  // half of all draws
  LoaderOptions options = shuffled(1);
  options.sampler = Sampler::kBalanced;
  Loader one(list, options);
  options.workers = 3;
  Loader three(list, options);
  const auto batches = read_epoch(one, 1);
  expect_equal(batches, read_epoch(three, 1));
  std::vector<at::Tensor> of_image_4;
  for (const Batch& batch : batches) {
    for (size_t i = 0; i < batch.indices.size(); ++i) {
      if (batch.indices[i] == 4) of_image_4.push_back(batch.images[i]);
    }
  }
  ASSERT_GE(of_image_4.size(), 10u);
  for (size_t i = 1; i < of_image_4.size(); ++i) {
    EXPECT_FALSE(of_image_4[i].equal(of_image_4[0])) << i;
  }
}

LoaderOptions erasing_and_mixing(int64_t workers) {
  LoaderOptions options = shuffled(workers);
  options.erase.probability = 0.5;
  options.mix = {.mixup = 0.8, .cutmix = 1};
  return options;
}

TEST(Loader, ErasesAndMixesAlikeWhateverTheWorkersAndTheStart) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 21);
  Loader one(list, erasing_and_mixing(1));
  Loader eight(list, erasing_and_mixing(8));
  std::set<double> weights;
  for (int64_t epoch : {0, 1}) {
    std::vector<Batch> whole = read_epoch(one, epoch);
    expect_equal(whole, read_epoch(eight, epoch));
    for (const Batch& batch : whole) weights.insert(batch.mixture_weight);
    whole.erase(whole.begin(), whole.begin() + 2);
    expect_equal(whole, read_epoch(eight, epoch, 2));
  }
  EXPECT_GT(weights.size(), 10u) << "each batch has a mixture of its own";
}

TEST(Loader, MixesWhatItWouldHaveGivenUnmixed) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 16);
  LoaderOptions options = shuffled(2);
  Loader plain(list, options);
  options.mix.mixup = 1;
  Loader mixing(list, options);
  const auto expected = read_epoch(plain, 5);
  const auto mixed = read_epoch(mixing, 5);
  ASSERT_EQ(mixed.size(), expected.size());
  for (size_t i = 0; i < mixed.size(); ++i) {
    const at::Tensor& images = expected[i].images;
    EXPECT_TRUE(mixed[i].labels.equal(expected[i].labels));
    EXPECT_TRUE(mixed[i].images.allclose(
        mixed[i].mixture_weight * images + (1 - mixed[i].mixture_weight) * images.flip(0), 1e-4,
        1e-5));
  }
}

/// Data sets of any size from a few small files, up to one of them unreadable.
TEST(BatchPart, PlacesAreDividedWithTheirMirrorImages) {
  for (const int64_t count : {4, 7, 16, 33}) {
    for (int64_t size = 1; 2 * size <= count; ++size) {
      std::vector<int> taken(static_cast<size_t>(count));
      for (int64_t rank = 0; rank < size; ++rank) {
        const auto places = places_in_batch({.rank = rank, .size = size}, count);
        EXPECT_GE(places.size(), 2u);
        EXPECT_LE(places.size(), static_cast<size_t>(count / size + 3));
        EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
        for (size_t i = 0; i < places.size(); ++i) {
          EXPECT_EQ(places[i] + places[places.size() - 1 - i], count - 1);
          ++taken[static_cast<size_t>(places[i])];
        }
      }
      EXPECT_EQ(taken, std::vector<int>(static_cast<size_t>(count), 1));
    }
  }
}

/// What several processes load of a mixed batch is what one loads.
TEST(BatchPart, PartsOfABatchMakeTheWholeBatch) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 22);
  LoaderOptions options = erasing_and_mixing(2);
  options.batch_size = 9;
  options.drop_last = true;
  Loader whole(list, options);
  const auto expected = read_epoch(whole, 3);
  for (const int64_t size : {2, 3, 4}) {
    for (int64_t rank = 0; rank < size; ++rank) {
      options.part = {.rank = rank, .size = size};
      Loader part(list, options);
      const auto batches = read_epoch(part, 3);
      ASSERT_EQ(batches.size(), expected.size());
      const auto places = at::tensor(places_in_batch(options.part, 9));
      for (size_t b = 0; b < batches.size(); ++b) {
        EXPECT_TRUE(batches[b].images.equal(expected[b].images.index_select(0, places)));
        EXPECT_TRUE(batches[b].labels.equal(expected[b].labels.index_select(0, places)));
        EXPECT_EQ(batches[b].mixture_weight, expected[b].mixture_weight);
        EXPECT_EQ(batches[b].number, expected[b].number);
      }
    }
  }
}

TEST(BatchPart, WholeBatchesGoRoundAndNoneTwice) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 21);
  LoaderOptions options = {.batch_size = 4, .workers = 2, .prefetch = 2};
  Loader whole(list, options);
  whole.start_epoch(0, evaluation());
  const auto expected = read_all(whole);
  for (const int64_t size : {2, 4, 7}) {
    std::vector<Batch> together(expected.size());
    for (int64_t rank = 0; rank < size; ++rank) {
      options.part = {.rank = rank, .size = size, .whole_batches = true};
      Loader part(list, options);
      part.start_epoch(0, evaluation());
      for (auto& batch : read_all(part)) {
        Batch& place = together[static_cast<size_t>(batch.number)];
        EXPECT_FALSE(place.images.defined()) << "twice";
        place = std::move(batch);
      }
    }
    expect_equal(expected, together);
  }
}

TEST(Loader, BatchesDependOnNothingButSeedAndEpoch) {
  const TestFolder folder;
  const ImageList files = write_images(folder, 7);
  const std::string unreadable = folder.write("unreadable.jpg", "no picture");
  Random random(0);
  testing::internal::CaptureStderr();
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const int64_t size = 1 + random.integer(40);
    std::vector<std::pair<std::string, int32_t>> images;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t file = random.integer(7);
      images.emplace_back(files.name(file), files.labels[file]);
    }
    const bool damaged = random.chance(0.5);
    if (damaged) images[random.integer(size)].first = unreadable;
    const ImageList list = listed("list", "", images);

    LoaderOptions options = shuffled(1, seed);
    options.batch_size = 1 + random.integer(9);
    options.prefetch = 1 + random.integer(5);
    options.drop_last = options.batch_size <= size && random.chance(0.5);
    Loader one(list, options);
    options.workers = 8;
    Loader eight(list, options);
    const int64_t epoch = random.integer(1000);
    std::vector<Batch> whole = read_epoch(one, epoch);
    expect_equal(whole, read_epoch(eight, epoch));

    std::vector<int64_t> seen;
    for (const Batch& batch : whole) {
      EXPECT_LT(batch.number, one.batches_per_epoch());
      seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "an image came twice";
    if (!options.drop_last) {
      EXPECT_EQ(static_cast<int64_t>(seen.size()), size - damaged);
    }

    const int64_t first = random.integer(one.batches_per_epoch() + 1);
    std::erase_if(whole, [=](const Batch& batch) { return batch.number < first; });
    expect_equal(whole, read_epoch(one, epoch, first));
    expect_equal(whole, read_epoch(eight, epoch, first));
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed;
      break;
    }
  }
  testing::internal::GetCapturedStderr();
}

TEST(Loader, TurnsImagesUprightOnRequest) {
  const ImageList list = listed("list", "", {{golden("orientation6.jpg"), 0}});
  DataConfig data;
  Transform keep;
  keep.cut = [](int64_t height, int64_t width, const Annotation&, Random&) {
    const CropBox all{0, 0, height, width};
    return Cut{.box = all, .height = height, .width = width, .window = all};
  };
  for (const bool upright : {false, true}) {
    data.exif_orientation = upright;
    Loader loader(list, loader_options(data));
    loader.start_epoch(0, keep);
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->images.size(2), upright ? 33 : 23);
  }
}

TEST(Loader, BatchesAreNormalizedChannelsLast) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 5);
  Loader loader(list,
                {.batch_size = 3, .images = {.mean = {0.5, 0.5, 0.5}, .std = {0.25, 0.5, 1}}});
  loader.start_epoch(0, evaluation());
  const auto batches = read_all(loader);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].images.sizes(), (std::vector<int64_t>{3, 3, 16, 16}));
  EXPECT_EQ(batches[1].images.sizes(), (std::vector<int64_t>{2, 3, 16, 16}));
  EXPECT_TRUE(batches[0].images.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(batches[1].indices, (std::vector<int64_t>{3, 4}));
  EXPECT_TRUE(batches[0].labels.equal(at::tensor({0, 0, 0}, at::kLong)));
  EXPECT_TRUE(batches[1].labels.equal(at::tensor({1, 1}, at::kLong)));

  Random random(0);
  const at::Tensor image = evaluation()(read_pixels(list, 4), random);
  const at::Tensor expected =
      (image.to(at::kFloat) / 255 - 0.5) / at::tensor({0.25, 0.5, 1.0}, at::kFloat);
  EXPECT_TRUE(batches[1].images[1].permute({1, 2, 0}).equal(expected));
}

TEST(Loader, EveryImageOnceAndInAnotherOrderEachEpoch) {
  const TestFolder folder;
  Loader loader(write_images(folder, 21), shuffled(2));
  std::vector<std::vector<int64_t>> orders;
  for (int64_t epoch : {0, 1, 0}) {
    std::vector<int64_t> order;
    for (const Batch& batch : read_epoch(loader, epoch)) {
      order.insert(order.end(), batch.indices.begin(), batch.indices.end());
    }
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
  std::sort(orders[0].begin(), orders[0].end());
  for (int64_t i = 0; i < 21; ++i) EXPECT_EQ(orders[0].at(i), i);
}

TEST(Loader, ResumesInTheMiddleOfAnEpoch) {
  const TestFolder folder;
  Loader loader(write_images(folder, 21), shuffled(3));
  auto whole = read_epoch(loader, 5);
  const auto tail = read_epoch(loader, 5, 2);
  whole.erase(whole.begin(), whole.begin() + 2);
  expect_equal(whole, tail);
  EXPECT_TRUE(read_epoch(loader, 5, loader.batches_per_epoch()).empty());
}

TEST(Loader, AnEpochCanBeAbandoned) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 21);
  Loader loader(list, shuffled(3));
  Loader fresh(list, shuffled(3));
  const auto expected = read_epoch(fresh, 1);
  for (int consumed = 0; consumed < 5; ++consumed) {
    loader.start_epoch(0, training());
    for (int i = 0; i < consumed; ++i) ASSERT_TRUE(loader.next());
    expect_equal(read_epoch(loader, 1), expected);
  }
}

TEST(Loader, EndsAtOnceWhateverItsState) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 21);
  { const Loader never_started(list, shuffled(3)); }
  for (int consumed = 0; consumed < 6; ++consumed) {
    Loader loader(list, shuffled(3));
    loader.start_epoch(0, training());
    for (int i = 0; i < consumed; ++i) loader.next();
  }
}

TEST(Loader, NothingBeforeTheFirstEpochAndAfterItsEnd) {
  const TestFolder folder;
  Loader loader(write_images(folder, 4), shuffled(1));
  EXPECT_FALSE(loader.next());
  loader.start_epoch(0, training());
  EXPECT_TRUE(loader.next());
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
}

TEST(Loader, PrefetchIsBounded) {
  const TestFolder folder;
  Loader loader(write_images(folder, 40), {.batch_size = 1, .workers = 4, .prefetch = 3});
  std::atomic<int> transformed = 0;
  Transform transform = evaluation();
  transform.augment = [&](Sample&, Random&) { ++transformed; };
  loader.start_epoch(0, transform);
  for (int consumed = 0; consumed < 10; ++consumed) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_LE(transformed, consumed + 3);
    ASSERT_TRUE(loader.next());
  }
}

TEST(Loader, DropsTheSmallerLastBatchOnRequest) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 10);
  LoaderOptions options = shuffled(2);
  EXPECT_EQ(Loader(list, options).batches_per_epoch(), 3);
  options.drop_last = true;
  Loader loader(list, options);
  EXPECT_EQ(loader.batches_per_epoch(), 2);
  EXPECT_EQ(read_epoch(loader, 0).size(), 2u);

  options.batch_size = 256;
  EXPECT_EQ(
      error_of([&] { Loader(list, options); }),
      "schedule.batch_size 256 is larger than the 10 images of " + folder.path() + "; lower it");
}

TEST(Loader, WhatAWorkerThrowsSurfaces) {
  const TestFolder folder;
  Loader loader(write_images(folder, 8), shuffled(2));
  Transform transform = evaluation();
  transform.augment = [](Sample&, Random&) { throw std::runtime_error("no such transform"); };
  loader.start_epoch(0, transform);
  EXPECT_THROW(loader.next(), std::runtime_error);
  EXPECT_EQ(read_epoch(loader, 1).size(), 2u) << "the loader can go on";
}

TEST(Loader, LeavesOutDamagedImagesAndNamesThemOnce) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 75);
  const std::string victim = list.name(10);
  folder.write("cat/0020.jpg", read_file(victim).substr(0, 200));
  Loader loader(list, shuffled(3));
  testing::internal::CaptureStderr();
  for (int64_t epoch : {0, 1}) {
    int64_t images = 0;
    for (const Batch& batch : read_epoch(loader, epoch)) {
      EXPECT_EQ(batch.images.size(0), static_cast<int64_t>(batch.indices.size()));
      EXPECT_EQ(batch.labels.size(0), batch.images.size(0));
      EXPECT_EQ(std::count(batch.indices.begin(), batch.indices.end(), 10), 0);
      images += batch.images.size(0);
    }
    EXPECT_EQ(images, 74);
  }
  const std::string warnings = testing::internal::GetCapturedStderr();
  const std::string message = victim + ": is a truncated JPEG";
  EXPECT_NE(warnings.find(message), std::string::npos) << warnings;
  EXPECT_EQ(warnings.find(message), warnings.rfind(message)) << warnings;
  EXPECT_EQ(loader.damaged(), std::set<int64_t>{10});
}

TEST(Loader, ABatchWithNothingLeftIsMissing) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 5);
  folder.write("cat/0002.jpg", "no picture");
  Loader loader(list, {.batch_size = 1});
  loader.start_epoch(0, evaluation());
  testing::internal::CaptureStderr();
  const auto batches = read_all(loader);
  testing::internal::GetCapturedStderr();
  std::vector<int64_t> numbers;
  for (const Batch& batch : batches) numbers.push_back(batch.number);
  EXPECT_EQ(numbers, (std::vector<int64_t>{0, 2, 3, 4}));
}

TEST(Loader, ABatchWithTooFewLeftIsMissing) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 6);
  folder.write("cat/0002.jpg", "no picture");
  Loader loader(list, {.batch_size = 2, .fewest = 2});
  loader.start_epoch(0, evaluation());
  testing::internal::CaptureStderr();
  EXPECT_EQ(read_all(loader).size(), 2u);
  testing::internal::GetCapturedStderr();
}

TEST(Loader, CountsTheDamageThatAnEarlierProcessFound) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 75);
  folder.write("cat/0020.jpg", "no picture");
  const auto read_after = [&](std::set<int64_t> found) {
    Loader loader(list, {.batch_size = 8});
    loader.set_damaged(std::move(found));
    loader.start_epoch(0, evaluation());
    testing::internal::CaptureStderr();
    const std::string error = error_of([&] { read_all(loader); });
    return std::pair(error, testing::internal::GetCapturedStderr());
  };
  const auto [same_error, same_warning] = read_after({10});
  EXPECT_EQ(same_error, "nothing was thrown");
  EXPECT_EQ(same_warning, "") << "was named before";
  EXPECT_TRUE(read_after({11}).first.starts_with(
      folder.path() + ": 2 of 75 images cannot be read, more than 1 %; the last: "));
}

TEST(Loader, StopsAtMoreThanOnePercentDamaged) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 75);
  folder.write("cat/0020.jpg", "no picture");
  folder.write("dog/0021.jpg", "no picture");
  Loader loader(list, {.batch_size = 8});
  loader.start_epoch(0, evaluation());
  testing::internal::CaptureStderr();
  const std::string error = error_of([&] { read_all(loader); });
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(error, folder.path() + ": 2 of 75 images cannot be read, more than 1 %; the last: " +
                       folder.path("dog/0021.jpg") +
                       ": is text that begins with `no picture` (expected JPEG, PNG, WebP, TIFF, "
                       "GIF, BMP, PBM, PGM or PPM)");
}

TEST(Loader, WorkersStartNoThreadsOfTheirOwn) {
  const TestFolder folder;
  const ImageList list = write_images(folder, 16);
  at::empty({1 << 20}).fill_(1);  // the main thread's own pool
  const int main_threads = at::get_num_threads();
  std::thread([] {}).join();  // the thread sanitizer starts its own with the first
  const int before = threads_of_this_process();
  Loader loader(list, {.batch_size = 4, .workers = 3});
  DataConfig data;
  data.eval_resize = data.eval_crop = 600;
  Transform transform = eval_transform(data);
  transform.augment = [](Sample& sample, Random&) {
    sample.image.bitwise_not_();  // large enough for ATen to think of several threads
  };
  loader.start_epoch(0, transform);
  EXPECT_EQ(read_all(loader).size(), 4u);
  EXPECT_EQ(threads_of_this_process(), before + 3);
  EXPECT_EQ(at::get_num_threads(), main_threads);
}

TEST(Loader, WhatTheSystemCannotReadIsNotLeftOut) {
  const TestFolder folder;
  const ImageList files = write_images(folder, 1);
  const auto storage = std::make_shared<FailingStorage>(std::string(files.read(0).bytes()));
  const ImageList list{"set", {}, std::vector<int32_t>(8, 0), storage};
  Loader loader(list, {.batch_size = 8});
  storage->fail(2, EMFILE);
  loader.start_epoch(0, evaluation());
  EXPECT_EQ(loader.next()->indices.size(), 8u) << "it has passed";
  storage->fail(4, EIO);
  loader.start_epoch(1, evaluation());
  EXPECT_EQ(error_of([&] { loader.next(); }), "image 0: cannot be read: Input/output error");
  EXPECT_TRUE(loader.damaged().empty());
}

}  // namespace
}  // namespace mobileone
