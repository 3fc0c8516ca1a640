#include "mobileone/data/tar_shards.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <set>

#include "data/support.h"
#include "data/tar_bytes.h"
#include "mobileone/data/epoch_order.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/loader.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

using Names = std::vector<std::string>;

Names relative_names(const ImageList& list) {
  Names names;
  for (int64_t i = 0; i < list.size(); ++i) names.push_back(list.storage->relative_name(i));
  return names;
}

TEST(ShardFiles, OfRangesAndLists) {
  EXPECT_EQ(shard_files("d/x-{08..11}.tar"),
            (Names{"d/x-08.tar", "d/x-09.tar", "d/x-10.tar", "d/x-11.tar"}));
  EXPECT_EQ(shard_files("{9..10}{a,,b}.tar"),
            (Names{"9a.tar", "9.tar", "9b.tar", "10a.tar", "10.tar", "10b.tar"}));
  EXPECT_EQ(shard_files("x.tar"), Names{"x.tar"});
  EXPECT_EQ(error_of([] { shard_files("x{3..1}.tar"); }),
            "x{3..1}.tar: {3..1} is no range of shards (expected for instance {000..146})");
  EXPECT_EQ(error_of([] { shard_files("x{1..b}.tar"); }),
            "x{1..b}.tar: {1..b} is no range of shards (expected for instance {000..146})");
  EXPECT_EQ(error_of([] { shard_files("x{1..2.tar"); }), "x{1..2.tar: a brace is not closed");
  EXPECT_EQ(error_of([] { shard_files("{0..9999}{0..9999}"); }),
            "{0..9999}{0..9999}: stands for more than 1000000 shards");
}

TEST(ShardFiles, OfAFolder) {
  const TestFolder folder;
  EXPECT_FALSE(names_shards(folder.path()));
  folder.write("b.tar", "");
  folder.write("a.TAR", "");
  folder.write("notes.txt", "");
  EXPECT_TRUE(names_shards(folder.path()));
  EXPECT_EQ(shard_files(folder.path()), (Names{folder.path("a.TAR"), folder.path("b.tar")}));
  fs::create_directories(folder.path("cat"));
  EXPECT_FALSE(names_shards(folder.path())) << "class folders with archives beside them";
}

TEST(Shards, SamplesAreFilesOfOneStem) {
  const TestFolder folder;
  folder.write("s-0.tar", tar_member("README.md", "hello") +                         //
                              tar_member("d/7.cls", " 3\r\n") +                      //
                              tar_member("d/7.seg.png", "mask") +                    //
                              tar_member("d/7.JPG", "seven") +                       //
                              tar_member("e/7.png", "other folder") +                //
                              tar_member("e/7.json", R"({"label": 1, "w": [2]})") +  //
                              tar_member(".hidden.jpg", "x") + tar_end());
  folder.write("s-1.tar", tar_member("8.webp", "eight") + tar_member("8.cls", "0") +
                              tar_member("8.json", R"({"label": 9})") + tar_end());
  const ImageList list = read_image_list(folder.path("s-{0..1}.tar"));
  EXPECT_EQ(relative_names(list),
            (Names{"s-0.tar > d/7.JPG", "s-0.tar > e/7.png", "s-1.tar > 8.webp"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{3, 1, 0}));
  EXPECT_EQ(list.read(0).bytes(), "seven");
  EXPECT_EQ(list.read(2).bytes(), "eight");
  EXPECT_EQ(list.name(2), folder.path("s-1.tar") + " > 8.webp");
  EXPECT_TRUE(list.class_names.empty());
  EXPECT_EQ(list.storage->stretches(), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(fingerprint(read_image_list(folder.path())), fingerprint(list));
}

TEST(Shards, ClassesHaveTheNamesBesideThem) {
  const TestFolder folder;
  folder.write("x.tar", tar_sample("1", "x", 1) + tar_end());
  folder.write("classes.txt", "cat\r\ndog\n");
  EXPECT_EQ(read_image_list(folder.path("x.tar")).class_names, (Names{"cat", "dog"}));
  folder.write("classes.txt", "cat\n");
  EXPECT_EQ(error_of([&] { read_shards(folder.path("x.tar")); }),
            folder.path("x.tar") +
                " > 1.jpg: has label 1, but classes.txt names 1 classes only (0 to 0)");
  folder.write("classes.txt", "cat\n\ndog\n");
  EXPECT_EQ(error_of([&] { read_shards(folder.path("x.tar")); }),
            folder.path("classes.txt") + ":2: is empty (expected the name of class 1)");
}

TEST(Shards, WhatIsWrongIsNamed) {
  const TestFolder folder;
  const std::string no_label =
      ": sample `1` has no label (expected a .cls file, a .json with a \"label\", or all images in "
      "folders of their classes)";
  const std::string too_large = " is too large (the index of a class is below 1000000)";
  const std::string image = tar_member("1.jpg", "x");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {image, no_label},
      {image + tar_member("2.cls", "1"), no_label},
      {image + tar_sample("2", "x", 1), no_label},
      {image + tar_member("1.json", "{"), no_label},
      {image + tar_member("1.json", "[1]"), no_label},
      {image + tar_member("1.json", R"({"label": [1]})"), no_label},
      {tar_member("a/b/1.jpg", "x") + tar_member("a/2.jpg", "x"),
       ": sample `a/b/1`" + no_label.substr(12)},
      {image + tar_member("1.json", R"({"label": -1})"), ": sample `1`: label -1 is negative"},
      {image + tar_member("1.json", R"({"label": 3000000000})"),
       ": sample `1`: label 3000000000" + too_large},
      {image + tar_member("1.cls", "-1"), ": sample `1`: label -1 is negative"},
      {image + tar_member("1.cls", " \n"), ": sample `1` has an empty label"},
      {image + tar_member("1.cls", "2147483647"), ": sample `1`: label 2147483647" + too_large},
      {image + tar_member("1.cls", "cat") + tar_sample("2", "x", 7),
       ": sample `2`: label `7` is an integer, the labels above are names"},
      {image + tar_member("1.png", "x"), ": sample `1` has two images"},
      {tar_member("1.a.jpg", "x") + tar_member("1.b.png", "x") + tar_member("1.cls", "0"),
       ": sample `1` has several images, and none is called `input` or `image`"},
      {tar_member("a\nb.jpg", "x") + tar_member("a\nb.png", "x"), ": sample `a?b` has two images"},
      {tar_member("1.txt", "x"),
       ": holds no images (expected samples such as 0001.jpg and 0001.cls)"},
  };
  for (const auto& [bytes, message] : cases) {
    const std::string path = folder.write("x.tar", bytes + tar_end());
    EXPECT_EQ(error_of([&] { read_shards(path); }), path + message);
  }
  EXPECT_EQ(error_of([&] { read_image_list(folder.path("y-{0..1}.tar")); }),
            folder.path("y-0.tar") + ": no such tar shard");
}

TEST(Shards, DotsInNamesLoseNoSample) {
  const TestFolder folder;
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += tar_sample(fmt::format("v1.0/img.{:04}", i), "x", i);
  const ImageList list = read_shards(folder.write("x.tar", bytes + tar_end()));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(list.storage->relative_name(7), "x.tar > v1.0/img.0007.jpg");
}

TEST(Shards, FieldsHaveNames) {
  const TestFolder folder;
  const ImageList list = read_shards(folder.write(
      "x.tar", tar_member("1.input.jpg", "one") + tar_member("1.target.cls", "3") +
                   tar_member("2.mask.png", "mask") + tar_member("2.image.png", "two") +
                   tar_member("2.json", R"({"class": 4.0, "caption": "x"})") + tar_end()));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(list.read(0).bytes(), "one");
  EXPECT_EQ(list.read(1).bytes(), "two");
}

TEST(Shards, LabelsMayBeNames) {
  const TestFolder folder;
  const std::string path = folder.write(
      "x.tar", tar_member("1.jpg", "x") + tar_member("1.cls", " dog\n") + tar_member("2.jpg", "x") +
                   tar_member("2.json", R"({"class_name": "cat"})") + tar_end());
  const ImageList list = read_shards(path);
  EXPECT_EQ(list.class_names, (Names{"cat", "dog"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{1, 0}));
  folder.write("classes.txt", "ant\ncat\ndog\n");
  EXPECT_EQ(read_shards(path).labels, (std::vector<int32_t>{2, 1}));
  folder.write("classes.txt", "cat\n");
  EXPECT_EQ(error_of([&] { read_shards(path); }),
            path + ": sample `1`: label `dog` is not among the names of the 1 classes");
}

TEST(Shards, ClassesMayBeFolders) {
  const TestFolder folder;
  folder.write("0.tar", tar_member("./set/dog/a.1.jpg", "x") +
                            tar_member("./set/dog/a.2.jpg", "x") +
                            tar_member("./set/cat/more/b.png", "x") + tar_end());
  folder.write("1.tar", tar_member("./set/cat/c.jpg", "x") +
                            tar_member("./set/cat/c.seg.png", "x") + tar_end());
  const ImageList list = read_image_list(folder.path());
  EXPECT_EQ(list.class_names, (Names{"cat", "dog"}));
  EXPECT_EQ(list.labels, (std::vector<int32_t>{1, 1, 0, 0}));
}

/// gzip's format with the bytes as they are (RFC 1951's stored blocks).
std::string gzip(std::string_view bytes) {
  std::string file("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view block = rest.substr(0, 65535);
    rest.remove_prefix(block.size());
    file += rest.empty() ? '\1' : '\0';
    append_little_endian(file, block.size(), 2);
    append_little_endian(file, ~block.size() & 0xffff, 2);
    file += block;
  }
  append_little_endian(file, crc32(bytes), 4);
  append_little_endian(file, bytes.size(), 4);
  return file;
}

TEST(Shards, MayBeCompressed) {
  const TestFolder folder;
  const std::string large(100'000, 'y');
  const std::string first = gzip(tar_sample("1", "one", 1) + tar_sample("2", large, 2) + tar_end());
  folder.write("a.tar.gz", first);
  folder.write("b.TGZ", gzip(tar_sample("3", "three", 3) + tar_end()));
  folder.write("c.tar", tar_sample("4", "four", 4) + tar_end());
  const ImageList list = read_image_list(folder.path());
  EXPECT_EQ(list.labels, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(list.name(2), folder.path("b.TGZ") + " > 3.jpg");
  fs::remove(folder.path("a.tar.gz"));
  EXPECT_EQ(list.read(0).bytes(), "one");
  EXPECT_EQ(list.read(1).bytes(), large);
  EXPECT_EQ(list.read(2).bytes(), "three");
  EXPECT_EQ(list.read(3).bytes(), "four");

  const std::string cut = folder.write("d.tgz", first.substr(0, 2000));
  EXPECT_EQ(error_of([&] { read_shards(cut); }), cut + ": is cut off; copy it again");
  const std::string damaged = folder.write("d.tgz", first.substr(0, first.size() - 8) + "damaged!");
  EXPECT_NE(error_of([&] { read_shards(damaged); }).find(": is damaged, or not compressed by gzip"),
            std::string::npos);
}

TEST(Shards, WhatIsLeftOutIsCounted) {
  const TestFolder folder;
  const std::string path = folder.write(
      "x.tar", tar_sample("1", "x", 1) + tar_member("1.seg.png", "mask") +
                   tar_member("2.cls", "1") + tar_member("3.cls", "1") + tar_member("4.heic", "x") +
                   tar_member("4.cls", "1") + tar_member("5.avif", "x") + tar_end());
  testing::internal::CaptureStderr();
  EXPECT_EQ(read_shards(path).size(), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: " + path +
                ": left out labels without an image (2), .avif (1), .heic (1), images beside a "
                "sample's own (1); the first: " +
                path + " > 1.seg.png\n");
}

TEST(Shards, TooFewDescriptorsLoseNoImage) {
  const TestFolder folder;
  for (int i = 0; i < 20; ++i) {
    folder.write(fmt::format("{:02}.tar", i), tar_sample("1", std::to_string(i), i) + tar_end());
  }
  const ImageList list = read_image_list(folder.path());
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  const rlimit few{static_cast<rlim_t>(next) + 4, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(list.read(i).bytes(), std::to_string(i));
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_EQ(error_of([&] { read_image_list(folder.path("00.tar")); }),
            folder.path("00.tar") + ": cannot be read: Too many open files");
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Shards, AShardThatChangesGivesNoOtherImage) {
  const TestFolder folder;
  const std::string bytes = tar_sample("1", "one", 1) + tar_sample("2", "two", 2) + tar_end();
  const std::string path = folder.write("x.tar", bytes);
  const std::string message =
      path + " > 2.jpg: the shard was changed or removed while it was in use";
  {
    const ImageList list = read_shards(path);
    EXPECT_EQ(list.read(1).bytes(), "two");
    fs::resize_file(path, bytes.size() - 1024);
    EXPECT_EQ(error_of([&] { list.read(1); }), message);
  }
  folder.write("x.tar", bytes);
  const ImageList list = read_shards(path);
  folder.write("x.tar", tar_sample("1", "two", 1) + tar_sample("2", "one", 2) + tar_end());
  EXPECT_EQ(error_of([&] { list.read(1); }), message);
  fs::remove(path);
  EXPECT_EQ(error_of([&] { list.read(1); }), message);
}

TEST(Shards, MoreThanCanBeOpenAtOnce) {
  const TestFolder folder;
  for (int i = 0; i < 150; ++i) {
    folder.write(fmt::format("{:03}.tar", i), tar_sample("1", std::to_string(i), i) + tar_end());
  }
  const ImageList list = read_image_list(folder.path());
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < 150; ++i) EXPECT_EQ(list.read(i).bytes(), std::to_string(i));
  }
}

/// Shards of `sizes` images in a list whose files are not there.
ImageList list_of_shards(const std::vector<int64_t>& sizes) {
  class Stretches : public ImageFiles {
   public:
    using ImageFiles::ImageFiles;
    std::vector<int64_t> stretches() const override { return starts; }
    std::vector<int64_t> starts;
  };
  auto storage = std::make_shared<Stretches>("");
  ImageList list{"shards", {}, {}, storage};
  for (const int64_t size : sizes) {
    storage->starts.push_back(list.size());
    list.labels.resize(list.labels.size() + size);
  }
  return list;
}

TEST(EpochOrder, TakesEachImageOnce) {
  Random sizes(0);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<int64_t> shards(1 + sizes.integer(5));
    for (auto& size : shards) size = sizes.integer(20);
    shards[0] += 1;
    const ImageList list = list_of_shards(shards);
    Random random(seed);
    auto order = shuffled_order(list, 1 + sizes.integer(40), random);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, stored_order(list));
  }
}

TEST(EpochOrder, ReadsShardsInTheirOrder) {
  const ImageList list = list_of_shards({100, 100, 100});
  Random random(1);
  const auto order = shuffled_order(list, 1, random);
  for (size_t i = 0; i < order.size(); ++i) {
    if (i % 100 == 0) continue;
    EXPECT_EQ(order[i], order[i - 1] + 1) << "a buffer of one shuffles nothing";
  }
  Random other(2);
  const auto buffered = shuffled_order(list, 20, other);
  EXPECT_NE(buffered, shuffled_order(list, 20, other));
  // What is drawn is one of the next 20 of the stream, or was left behind.
  std::set<int64_t> shards;
  for (size_t i = 0; i < 80; ++i) shards.insert(buffered[i] / 100);
  EXPECT_EQ(shards.size(), 1u);
}

TEST(EpochOrder, AWideBufferMixesAllPlaces) {
  const ImageList list = list_of_shards({50, 50});
  std::vector<double> sum(100);
  Random random(3);
  for (int epoch = 0; epoch < 2000; ++epoch) {
    const auto order = shuffled_order(list, 100, random);
    for (size_t i = 0; i < order.size(); ++i) sum[order[i]] += static_cast<double>(i);
  }
  for (const double total : sum) EXPECT_NEAR(total / 2000, 49.5, 4 * 28.9 / std::sqrt(2000.0));
}

TEST(Shards, BatchesDoNotDependOnWorkersAndResume) {
  const TestFolder folder;
  for (int shard = 0; shard < 3; ++shard) {
    std::string bytes;
    for (int i = 0; i < 9; ++i) {
      bytes += tar_sample(std::to_string(i),
                          encode_jpeg(at::full({20, 20, 3}, 9 * i + shard, at::kByte), 90), i);
    }
    folder.write(fmt::format("{}.tar", shard), bytes + tar_end());
  }
  const ImageList list = read_image_list(folder.path());
  const auto read = [&](int64_t workers, int64_t first) {
    Loader loader(
        list,
        {.batch_size = 4, .workers = workers, .prefetch = 3, .shuffle = true, .shuffle_buffer = 5});
    DataConfig data;
    data.eval_resize = data.eval_crop = 16;
    loader.start_epoch(2, eval_transform(data), first);
    std::vector<Batch> batches;
    while (auto batch = loader.next()) batches.push_back(std::move(*batch));
    return batches;
  };
  const auto expected = read(1, 0), parallel = read(4, 0), resumed = read(3, 3);
  ASSERT_EQ(expected.size(), 7u);
  ASSERT_EQ(parallel.size(), 7u);
  ASSERT_EQ(resumed.size(), 4u);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(expected[i].indices, parallel[i].indices);
    EXPECT_TRUE(expected[i].images.equal(parallel[i].images));
    EXPECT_TRUE(expected[i].labels.equal(parallel[i].labels));
    if (i >= 3) {
      EXPECT_TRUE(expected[i].images.equal(resumed[i - 3].images));
    }
  }
}

}  // namespace
}  // namespace mobileone
