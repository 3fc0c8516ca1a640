// Masks from COCO's annotations, against what pycocotools draws.
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "python.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

const std::string kSource = MOBILEONE_SOURCE_DIR;

/// The images of tests/golden/coco, black.
void write_images(const TestFolder& folder) {
  const auto coco = nlohmann::json::parse(read_file(kSource + "/tests/golden/coco/instances.json"));
  fs::create_directories(folder.path("images"));
  for (const auto& image : coco["images"]) {
    write_jpeg(folder.path("images/" + image["file_name"].get<std::string>()),
               at::zeros({image["height"], image["width"], 3}, at::kByte), 50);
  }
}

std::vector<std::string> masks_command(const TestFolder& folder,
                                       const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"data", "masks",
                                        kSource + "/tests/golden/coco/instances.json",
                                        folder.path("images"), folder.path("masks")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(DataMasks, SaysWhatItMadeAndMakesNothingTwice) {
  const TestFolder folder;
  write_images(folder);
  const Outcome made = run_program(masks_command(folder));
  ASSERT_EQ(made.status, 0) << made.errors;
  EXPECT_TRUE(made.output.starts_with(folder.path("masks") + ": 60 masks of 2 classes, "))
      << made.output;
  EXPECT_EQ(read_file(folder.path("masks/classes.txt")), "background\nthing\n");
  EXPECT_TRUE(read_file(folder.path("masks/list.txt")).starts_with("../images/1.jpg 1.png\n"));
  const Outcome again = run_program(masks_command(folder));
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(again.errors, "mobileone: " + folder.path("masks") +
                              ": is there already; move it away, or name another folder\n");
}

TEST(DataMasks, RefusesWhatItsOptionsCannotMean) {
  const TestFolder folder;
  write_images(folder);
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{
           {"--overlap", "last"}, {"--crowds", "x"}, {"--min-pixels", "-1"}, {"--workers", "0"}}) {
    EXPECT_EQ(run_program(masks_command(folder, {option, value})).status, 2) << option;
  }
  EXPECT_EQ(run_program(masks_command(folder, {"--classes", "voc"})).errors,
            "mobileone: " + kSource +
                "/tests/golden/coco/instances.json: none of its categories has a class by `voc`: "
                "thing\n");
  EXPECT_FALSE(fs::exists(folder.path("masks")));
}

/// Photographs with many objects, overlaps and crowds.
TEST(DataMasks, AreThoseOfCvnetsAndTorchvision) {
  const std::string coco = "/work/shared/data/coco128/";
  if (!python_has("numpy, pycocotools")) GTEST_SKIP() << "needs pycocotools: scripts/setup.sh";
  if (!fs::exists(coco)) GTEST_SKIP() << "there is no " << coco;
  const std::string annotations = coco + "annotations/instances_train2017.json";
  for (const std::string rule : {"first", "ignore"}) {
    const TestFolder folder;
    const Outcome made =
        run_program({"data", "masks", annotations, coco + "train2017", folder.path("masks"),
                     "--classes", "voc", "--crowds", "class", "--overlap", rule});
    ASSERT_EQ(made.status, 0) << made.errors;
    const auto command = fmt::format("'{}' '{}/tests/python/coco_masks_peer.py' {} {} '{}'",
                                     kPython, kSource, annotations, rule, folder.path());
    ASSERT_EQ(std::system(command.c_str()), 0);
    int64_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder.path("masks"))) {
      if (entry.path().extension() != ".png") continue;
      const std::string name = entry.path().stem().string();
      const std::string expected = read_file(folder.path("expected/" + name));
      const at::Tensor mask = decode_index_mask(read_file(entry.path()), name, {});
      ASSERT_EQ(std::string_view(static_cast<const char*>(mask.const_data_ptr()), mask.numel()),
                expected)
          << name << rule;
      ++count;
    }
    EXPECT_EQ(count, 128);
  }
}

}  // namespace
}  // namespace mobileone
