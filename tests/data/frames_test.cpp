#include "mobileone/data/frames.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "data/support.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;
using Images = std::vector<std::string>;

/// A stream that something is written to while it is read.
class Stream {
 public:
  Stream() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~Stream() {
    end();
    ::close(ends_[0]);
  }
  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(ends_[1], bytes.data(), bytes.size()), std::ssize(bytes));
  }
  void end() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  int descriptor() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

/// What is read of a stream that comes in parts of at most `part` bytes.
Images split(std::string_view bytes, size_t part = 65536) {
  Stream stream;
  const std::jthread writer([&] {
    for (size_t place = 0; place < bytes.size(); place += part) {
      stream.write(bytes.substr(place, part));
    }
    stream.end();
  });
  FrameReader frames(stream.descriptor(), "stream");
  Images images;
  while (auto image = frames.next()) images.push_back(*std::move(image));
  return images;
}

/// Every golden image that says where it ends.
Images golden_images() {
  Images images;
  for (const char* folder : {"/tests/golden/images", "/tests/golden/data"}) {
    for (const auto& file : fs::directory_iterator(MOBILEONE_SOURCE_DIR + std::string(folder))) {
      const std::string ending = file.path().extension();
      const std::string name = file.path().filename();
      const bool is_plain = name.find("plain") != name.npos || name == "pbm_spaced.pbm";
      for (const char* known : {".jpg", ".png", ".webp", ".ppm", ".pgm", ".pbm", ".gif"}) {
        if (ending == known && !is_plain) images.push_back(read_file(file.path()));
      }
    }
  }
  return images;
}

TEST(Frames, AreSplitWhereverTheirPartsEnd) {
  std::mt19937 random(1);
  for (const std::string& image : golden_images()) {
    ASSERT_EQ(split(image + image), (Images{image, image})) << image.size();
  }
  for (const size_t part : {1, 7, 4096, 1 << 20}) {
    Images images = golden_images();
    std::ranges::shuffle(images, random);
    if (part == 1) images.resize(40);
    std::string all;
    for (const std::string& image : images) all += image;
    const Images found = split(all, part);
    ASSERT_EQ(found.size(), images.size()) << part;
    for (size_t i = 0; i < images.size(); ++i) ASSERT_EQ(found[i], images[i]) << part << " " << i;
  }
}

TEST(Frames, ComeBeforeTheNextIsThere) {
  Stream stream;
  FrameReader frames(stream.descriptor(), "stream");
  for (const char* name : {"rgb.png", "420.jpg"}) {
    const std::string image = read_file(golden(name));
    stream.write(image);
    EXPECT_EQ(frames.next(), image);
  }
  stream.end();
  EXPECT_EQ(frames.next(), std::nullopt);
}

TEST(Frames, MayBeApart) {
  const std::string jpeg = read_file(golden("420.jpg")), png = read_file(golden("rgb.png"));
  EXPECT_EQ(split(jpeg + "\n" + png + std::string(100, '\0') + jpeg), (Images{jpeg, png, jpeg}));
  EXPECT_EQ(split(""), Images{});
  EXPECT_EQ(split("x"), Images{"x"}) << "which its decoder refuses";
}

TEST(Frames, AreFoundBehindOneThatWasCutOff) {
  const std::string jpeg = read_file(golden("420.jpg"));
  for (const size_t cut : {jpeg.size() - 50, jpeg.size() - 1}) {
    EXPECT_EQ(split(jpeg.substr(0, cut) + jpeg), (Images{jpeg.substr(0, cut), jpeg}));
  }
}

TEST(Frames, EndWhereNoImageFollows) {
  const std::string jpeg = read_file(golden("420.jpg"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(split(jpeg + "no picture"), Images{jpeg});
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "stream: what follows image 1 is text that begins with `no picture"),
            std::string::npos);
}

TEST(Frames, AreOneWhereAFileHasSeveralPictures) {
  const std::string jpeg = read_file(golden("420.jpg"));
  const std::string index("\xff\xe2\0\x08MPF\0xx", 10);
  const std::string several = jpeg.substr(0, 2) + index + jpeg.substr(2) + jpeg;
  EXPECT_EQ(split(several), Images{several});
}

TEST(Frames, OfOtherKindsStandAlone) {
  const std::string tiff =
                        read_file(MOBILEONE_SOURCE_DIR "/tests/golden/images/tiff_grey0_8_big.tif"),
                    jpeg = read_file(golden("420.jpg"));
  EXPECT_EQ(split(tiff), Images{tiff});
  EXPECT_EQ(
      error_of([&] { split(jpeg + tiff); }),
      "stream: image 2 is a TIFF image, which does not say where it ends; expected JPEG, PNG, "
      "WebP, GIF, BMP or binary PPM, PGM or PBM");
}

TEST(Frames, OfBmpEndWhereTheirHeadersSay) {
  const std::string bmp = read_file(MOBILEONE_SOURCE_DIR "/tests/golden/images/bmp_24.bmp"),
                    jpeg = read_file(golden("420.jpg"));
  EXPECT_EQ(split(bmp + jpeg + bmp), (Images{bmp, jpeg, bmp}));
  std::string unknown = bmp;
  unknown.replace(2, 4, 4, '\0');
  EXPECT_EQ(split(unknown), Images{unknown});
}

}  // namespace
}  // namespace mobileone
