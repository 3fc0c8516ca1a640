// An index of as many images as ImageNet has.
#include <chrono>
#include <fstream>

#include "mobileone/data/epoch_order.h"
#include "mobileone/data/pack.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

constexpr int64_t kImages = 1'281'167, kPerClass = 1282;

/// One byte an image, under names as long as ImageNet's.
class ManyImages : public ImageStorage {
 public:
  std::string name(int64_t i) const override { return relative_name(i); }
  std::string relative_name(int64_t i) const override {
    const int64_t synset = 1'440'764 + i / kPerClass;
    return fmt::format("n{:08}/n{:08}_{}.JPEG", synset, synset, i % kPerClass);
  }
  StoredImage read(int64_t i) const override {
    return StoredImage(std::string(1, static_cast<char>(i)));
  }
};

/// Of this process, in MB; memory of files, which the system can take back, aside.
int64_t own_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoll(line.substr(8)) / 1024;
  }
  return 0;
}

TEST(Scale, APackOfImageNetIsThereAtOnce) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take time and memory of their own";
#endif
  const TestFolder folder;
  const std::string path = folder.path("x.pack");
  {
    ImageList list{"many", {}, {}, std::make_shared<ManyImages>()};
    for (int64_t i = 0; i < kImages; ++i) {
      list.labels.push_back(static_cast<int32_t>(i / kPerClass));
    }
    testing::internal::CaptureStderr();
    write_pack(list, path, {}, 1);
    testing::internal::GetCapturedStderr();
  }
  const int64_t before = own_memory();
  const auto start = std::chrono::steady_clock::now();
  const ImageList list = read_image_list(path);
  Random random(0);
  const auto order = shuffled_order(list, 1, random);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const int64_t index_size =
      static_cast<int64_t>(std::filesystem::file_size(path)) / 1'000'000 - kImages * 64 / 1'000'000;
  EXPECT_LT(seconds.count(), 3);
  EXPECT_LT(own_memory() - before, 50) << "labels and order";
  EXPECT_LT(index_size, 150) << "which is mapped";
  ASSERT_EQ(list.size(), kImages);
  EXPECT_EQ(list.storage->relative_name(kImages - 1), "n01441763/n01441763_448.JPEG");
  EXPECT_EQ(list.read(300).bytes(), std::string(1, static_cast<char>(300)));
}

}  // namespace
}  // namespace mobileone
