#include <gtest/gtest.h>

#include <filesystem>

#include "mobileone/config/reader.h"
#include "mobileone/config/study.h"
#include "support/error_of.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

const fs::path kConfigs = MOBILEONE_SOURCE_DIR "/configs";

TEST(Recipes, EveryFileLoads) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kConfigs)) {
    const bool study = entry.path().parent_path() == kConfigs / "studies";
    if (entry.path().extension() != ".yaml" || study) continue;
    EXPECT_NO_THROW(load_config(entry.path())) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 9);
}

TEST(Recipes, StudiesLoad) {
  const fs::path studies = kConfigs / "studies";
  EXPECT_EQ(load_study<ScatterStudy>(studies / "scatter.yaml").models.size(), 11);
  EXPECT_EQ(load_study<ActivationsStudy>(studies / "activations.yaml").activations,
            all_of_enum<Activation>());
  EXPECT_EQ(load_study<BlocksStudy>(studies / "blocks.yaml").blocks, all_of_enum<Block>());
  const auto grid = load_study<BranchesStudy>(studies / "branches.yaml");
  for (const auto& cell : grid.cells) {
    EXPECT_NO_THROW(load_config(kConfigs.parent_path() / grid.recipe, cell.set)) << cell.name;
  }
  EXPECT_EQ(grid.cells.size(), 12);
}

/// Errors of a study's file are those of a configuration.
TEST(Recipes, StudiesRefuseWhatTheyDoNotKnow) {
  const auto message = [](const std::string& change) {
    return error_of([&] { load_study<BlocksStudy>(kConfigs / "studies/blocks.yaml", {change}); });
  };
  EXPECT_NE(message("latency.thread=2").find("did you mean 'threads'"), std::string::npos);
  EXPECT_NE(message("blocks=[plane]").find("did you mean 'plain'"), std::string::npos);
  EXPECT_NE(message("latency.size=0").find("from 8 to 4096 px"), std::string::npos);
}

/// What the paper says of `variant`, and the usual defaults where it says nothing.
Config paper_recipe(Variant variant) {
  const bool large = variant >= Variant::kS2;
  Config paper;
  paper.model.variant = variant;
  paper.model.num_classes = 1000;
  paper.data = {.train = "data/imagenet/train",
                .val = "data/imagenet/val",
                .size = 224,
                .eval_resize = 256,
                .eval_crop = 224,
                .mean = {0.485, 0.456, 0.406},
                .std = {0.229, 0.224, 0.225},
                .workers = 16,
                .prefetch = 4};
  paper.augment = {.crop_area = {0.08, 1},
                   .crop_ratio = {3.0 / 4, 4.0 / 3},
                   .flip = 0.5,
                   .policy = large ? Policy::kAutoAugment : Policy::kNone,
                   .strength = 1};
  paper.optimizer = {.lr = 0.1,
                     .momentum = 0.9,
                     .nesterov = false,
                     .weight_decay = 1e-4,
                     .weight_decay_end = 1e-5,
                     .decay_norm_and_bias = true,
                     .clip_norm = 0,
                     .lr_factors = {}};
  paper.schedule = {
      .epochs = 300, .batch_size = 256, .accumulate = 1, .warmup_epochs = 0, .lr_end = 0};
  paper.loss.label_smoothing = 0.1;
  paper.ema = {.decay = 0.9995, .warmup = false};
  paper.curriculum.stages = {{0, 160, 0.3}, {39, 192, 0.6}, {114, 224, 1.0}};
  paper.output.dir = fmt::format("runs/mobileone_{}", to_string(variant));
  return paper;
}

TEST(Recipes, ImageNetIsThePapers) {
  for (const auto& [variant, name] : enum_names(Variant{})) {
    const fs::path file = kConfigs / "imagenet" / fmt::format("mobileone_{}.yaml", name);
    EXPECT_EQ(load_config(file), paper_recipe(variant)) << file;
  }
}

}  // namespace
}  // namespace mobileone
