#include "mobileone/data/pack.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "data/failing_storage.h"
#include "data/support.h"
#include "mobileone/data/resize.h"
#include "mobileone/data/shapes.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/folder_lock.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

constexpr PackSettings kDecoded{.decoded = true, .short_side = 20};

class Pack : public testing::Test {
 protected:
  Pack() {
    draw_shapes(folder.path("shapes"), {.train_per_class = 3, .val_per_class = 1, .size = 32});
    list = read_image_list(folder.path("shapes/train"));
  }

  PackSummary write(const std::string& name, const PackSettings& settings = {}) const {
    return write_pack(list, folder.path(name), settings, 3);
  }

  const TestFolder folder;
  ImageList list;
};

TEST_F(Pack, OfFilesHoldsThemAsTheyAre) {
  const PackSummary summary = write("x.pack");
  EXPECT_EQ(summary.images, 30);
  EXPECT_EQ(summary.unreadable, 0);
  EXPECT_EQ(summary.bytes, fs::file_size(folder.path("x.pack")));
  const ImageList packed = read_image_list(folder.path("x.pack"));
  EXPECT_EQ(packed.class_names, list.class_names);
  EXPECT_EQ(packed.labels, list.labels);
  EXPECT_EQ(fingerprint(packed), fingerprint(list));
  EXPECT_EQ(packed.name(4), folder.path("x.pack") + " > " + list.storage->relative_name(4));
  for (int64_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(packed.read(i).bytes(), read_file(list.name(i)));
    EXPECT_TRUE(read_pixels(packed, i).equal(read_pixels(list, i)));
  }
  EXPECT_FALSE(fs::exists(folder.path("x.pack.partial")));
}

TEST_F(Pack, OfPixelsHoldsThemReduced) {
  write("x.pack", kDecoded);
  const ImageList packed = read_image_list(folder.path("x.pack"));
  EXPECT_EQ(fingerprint(packed), fingerprint(list));
  for (int64_t i = 0; i < list.size(); ++i) {
    EXPECT_TRUE(packed.read(i).is_decoded());
    const auto reduced = resize(read_pixels(list, i), 20, 20, Interpolation::kBilinear);
    EXPECT_TRUE(read_pixels(packed, i).equal(reduced));
  }
}

/// An evaluation that resizes to the pack's short side sees the same pixels.
TEST_F(Pack, OfPixelsEvaluatesAsTheFilesDo) {
  const ImageList files = listed("list", "", {{golden("resize.png"), 0}, {golden("rgb.jpg"), 1}});
  write_pack(files, folder.path("x.pack"), kDecoded, 1);
  const ImageList packed = read_pack(folder.path("x.pack"));
  DataConfig data;
  data.eval_resize = 20;
  data.eval_crop = 16;
  Random random(0);
  for (int64_t i = 0; i < 2; ++i) {
    const auto expected = eval_transform(data)(read_pixels(files, i), random);
    EXPECT_TRUE(eval_transform(data)(read_pixels(packed, i), random).equal(expected));
  }
}

TEST_F(Pack, SidesAreBoundedAndNeverEnlarged) {
  write_png(folder.path("wide.png"), at::zeros({30, 90, 3}, at::kByte));
  const ImageList wide = listed("list", "", {{folder.path("wide.png"), 0}});
  const auto shape = [&](PackSettings settings) {
    settings.decoded = true;
    fs::remove(folder.path("wide.pack"));
    write_pack(wide, folder.path("wide.pack"), settings, 1);
    return read_pixels(read_pack(folder.path("wide.pack")), 0).sizes().vec();
  };
  EXPECT_EQ(shape({.short_side = 10}), (std::vector<int64_t>{10, 30, 3}));
  EXPECT_EQ(shape({.short_side = 31}), (std::vector<int64_t>{30, 90, 3}));
  EXPECT_EQ(shape({.short_side = 0, .max_side = 45}), (std::vector<int64_t>{15, 45, 3}));
  EXPECT_EQ(shape({.short_side = 0, .max_side = 91}), (std::vector<int64_t>{30, 90, 3}));
}

TEST_F(Pack, PackedAgainIsTheSame) {
  write("x.pack");
  const ImageList packed = read_image_list(folder.path("x.pack"));
  write_pack(packed, folder.path("y.pack"), {}, 2);
  EXPECT_TRUE(read_file(folder.path("x.pack")) == read_file(folder.path("y.pack")));
  write_pack(packed, folder.path("d.pack"), kDecoded, 2);
  const ImageList decoded = read_image_list(folder.path("d.pack"));
  EXPECT_EQ(error_of([&] { write_pack(decoded, folder.path("z.pack"), {}, 2); }),
            folder.path("d.pack") + ": holds pixels, not image files; pack it with --decoded");
}

TEST_F(Pack, IsLeftAloneIfItIsThere) {
  EXPECT_FALSE(write("x.pack").was_there);
  const auto time = fs::last_write_time(folder.path("x.pack"));
  EXPECT_TRUE(write("x.pack").was_there);
  EXPECT_EQ(fs::last_write_time(folder.path("x.pack")), time);
  const std::string message =
      ": is there already, and is not a pack of these images with these settings; remove it, or "
      "name another";
  EXPECT_EQ(error_of([&] { write("x.pack", kDecoded); }), folder.path("x.pack") + message);
  folder.write("text", "hello");
  EXPECT_EQ(error_of([&] { write("text"); }), folder.path("text") + message);
  EXPECT_EQ(read_file(folder.path("text")), "hello");
}

/// Kills a writer when it has come to its `last` image.
void write_until(const ImageList& list, const std::string& path, int64_t last) {
  class Deadly : public ImageStorage {
   public:
    Deadly(std::shared_ptr<const ImageStorage> storage, int64_t last)
        : storage_(std::move(storage)), last_(last) {}
    std::string name(int64_t i) const override { return storage_->name(i); }
    std::string relative_name(int64_t i) const override { return storage_->relative_name(i); }
    StoredImage read(int64_t i) const override {
      if (i == last_) ::kill(::getpid(), SIGKILL);
      // Each larger than what waits to be written.
      return StoredImage(std::string(storage_->read(i).bytes()).append(std::string(12 << 20, 'x')));
    }

   private:
    std::shared_ptr<const ImageStorage> storage_;
    int64_t last_;
  };
  ImageList deadly = list;
  deadly.storage = std::make_shared<Deadly>(list.storage, last);
  const pid_t child = ::fork();
  if (child == 0) {
    write_pack(deadly, path, {}, 1);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WIFSIGNALED(status), last < list.size());
}

TEST_F(Pack, GoesOnWhereItWasKilledToTheSameBytes) {
  write_until(list, folder.path("whole.pack"), 1000);
  const std::string path = folder.path("x.pack");
  uintmax_t before = 0;
  for (const int64_t last : {0, 9, 10, 21, 29}) {
    write_until(list, path, last);
    EXPECT_FALSE(fs::exists(path));
    const uintmax_t done = fs::file_size(path + ".partial/index") / 32;
    EXPECT_GE(done, before);
    EXPECT_GE(static_cast<int64_t>(done) + 9, last) << "what was done is kept";
    before = done;
    // What was written behind the last entry, or only half of an entry, counts for nothing.
    std::ofstream(path + ".partial/records", std::ios::app) << "half a record";
    std::ofstream(path + ".partial/index", std::ios::app) << "half";
  }
  write_until(list, path, 1000);
  EXPECT_TRUE(read_file(path) == read_file(folder.path("whole.pack")));
}

TEST_F(Pack, GoesOnOnlyWithTheSameImagesAndSettings) {
  write_until(list, folder.path("x.pack"), 20);
  const std::string message = folder.path("x.pack.partial") +
                              ": was begun from other images or with other settings; remove it, or "
                              "go on with the same";
  EXPECT_EQ(error_of([&] { write("x.pack", kDecoded); }), message);
  ImageList other = list;
  other.labels[3] ^= 1;
  EXPECT_EQ(error_of([&] { write_pack(other, folder.path("x.pack"), {}, 1); }), message);
}

TEST_F(Pack, TwoWritersDoNotMix) {
  fs::create_directories(folder.path("x.pack.partial"));
  const FolderLock lock(folder.path("x.pack.partial"));
  EXPECT_NE(error_of([&] { write("x.pack"); }).find("x.pack.partial: is in use by process"),
            std::string::npos);
}

TEST_F(Pack, KeepsThePlaceOfWhatCannotBeRead) {
  folder.write("shapes/train/star/0001.jpg", "no picture");
  folder.write("shapes/train/ring/0000.jpg", "");
  testing::internal::CaptureStderr();
  const std::string two = error_of([&] { write("x.pack", kDecoded); });
  EXPECT_NE(testing::internal::GetCapturedStderr().find("ring/0000.jpg: is "), std::string::npos);
  EXPECT_TRUE(two.starts_with(folder.path("shapes/train") +
                              ": 2 of 30 images cannot be read, more than 1 %; the last: "))
      << two;

  const std::string other = read_file(folder.path("shapes/train/ring/0001.jpg"));
  folder.write("shapes/train/ring/0000.jpg", other);
  fs::remove_all(folder.path("x.pack.partial"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(write("x.pack", kDecoded).unreadable, 1);
  testing::internal::GetCapturedStderr();
  const ImageList packed = read_pack(folder.path("x.pack"));
  EXPECT_EQ(fingerprint(packed), fingerprint(list));
  int64_t unreadable = 0;
  for (int64_t i = 0; i < packed.size(); ++i) {
    const std::string error = error_of([&] { packed.read(i); });
    if (error == "nothing was thrown") continue;
    ++unreadable;
    EXPECT_EQ(error,
              folder.path("x.pack") + " > star/0001.jpg: could not be read when the pack was made");
  }
  EXPECT_EQ(unreadable, 1);
}

TEST_F(Pack, WhatTheSystemCannotReadEndsItAndIsMissingNowhere) {
  const auto storage =
      std::make_shared<FailingStorage>(read_file(folder.path("shapes/train/ring/0000.jpg")));
  list = {"set", {}, std::vector<int32_t>(300, 1), storage};
  for (const int code : {EMFILE, EIO, ENOENT}) {
    const std::string error = std::strerror(code);
    storage->fail(code == ENOENT ? 1 : 4, code);
    EXPECT_EQ(error_of([&] { write("x.pack"); }), "image 0: cannot be read: " + error);
    EXPECT_FALSE(fs::exists(folder.path("x.pack")));
  }
  storage->fail(2, EMFILE);  // passes
  EXPECT_EQ(write("x.pack").unreadable, 0);
  const ImageList packed = read_pack(folder.path("x.pack"));
  for (int64_t i = 0; i < packed.size(); ++i) EXPECT_FALSE(packed.read(i).bytes().empty());
}

TEST_F(Pack, AFlippedBitNamesItsRecord) {
  write("x.pack");
  std::string bytes = read_file(folder.path("x.pack"));
  const ImageList packed = parse_pack(bytes, "x.pack");
  for (const int64_t i : {0, 7, 29}) {
    const size_t place = packed.read(i).bytes().data() - bytes.data() + 5;
    bytes[place] ^= 8;
    for (int64_t k = 0; k < packed.size(); ++k) {
      EXPECT_EQ(error_of([&] { packed.read(k); }),
                k == i
                    ? packed.name(i) + ": fails its check sum: the pack is damaged, make it again"
                    : "nothing was thrown");
    }
    bytes[place] ^= 8;
  }
}

}  // namespace
}  // namespace mobileone
