#include "mobileone/config/reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "mobileone/config/writer.h"
#include "mobileone/util/file.h"
#include "support/error_of.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// Files in a folder of the test's own, the working directory while the test runs.
class ReaderFiles : public testing::Test {
 protected:
  void SetUp() override {
    fs::current_path(folder_.path());
    fs::create_directory("sub");
  }
  void TearDown() override { fs::current_path(start_); }

 private:
  const fs::path start_ = fs::current_path();
  const TestFolder folder_;
};

TEST_F(ReaderFiles, InheritFromTheirBase) {
  write_whole("recipe.yaml",
              "optimizer: {lr: 0.5, momentum: 0.8}\nmodel: {depths: [1, 2, 3, 4]}\n");
  write_whole("sub/middle.yaml", "ema: {decay: 0.5}\nbase: ../recipe.yaml\n");
  write_whole("top.yaml", "base: sub/middle.yaml\noptimizer:\n  lr: 0.25\nmodel: {depths: []}\n");
  const Config config = load_config("top.yaml", {"optimizer.momentum=0.7", "ema.decay=0.4"});
  EXPECT_EQ(config.optimizer.lr, 0.25);
  EXPECT_EQ(config.optimizer.momentum, 0.7);
  EXPECT_EQ(config.ema.decay, 0.4);
  EXPECT_TRUE(config.model.depths.empty());
}

TEST_F(ReaderFiles, OfDetectionHaveItsSizeWhereTheyNameNone) {
  write_whole("c.yaml", "model: {head: ssdlite}\n");
  EXPECT_EQ(load_config("c.yaml").data.size, 320);
  const Config config = load_config("c.yaml", {"data.size=224"});
  EXPECT_EQ(config.data.size, 224) << "which is named, though it is the default of others";
  EXPECT_EQ(config.data.eval_crop, 320);
  EXPECT_EQ(parse_config(to_yaml(config), "checkpoint"), config);
}

TEST_F(ReaderFiles, ReportTheFaultsOfTheWholeChain) {
  write_whole("recipe.yaml", "schedule:\n  epochs: 10\n  epoch: 3\n");
  write_whole("top.yaml", "base: recipe.yaml\nema: {decay: x}\nschedule: {warmup_epochs: 20}\n");
  EXPECT_EQ(
      error_of([] {
        load_config("top.yaml", {"loss=1", "optimizer.lr=abc"});
      }),
      "recipe.yaml:3: schedule.epoch: unknown key; did you mean 'epochs'? (known: epochs, "
      "batch_size, accumulate, warmup_epochs, warmup_lr, curve, power, per_epoch, lr_end)\n"
      "top.yaml:2: ema.decay: expected a number from 0 to 0.999999, got 'x'\n"
      "command line: loss=1: loss: expected a map with the keys label_smoothing, class_weights, "
      "balanced, got '1'\n"
      "command line: optimizer.lr=abc: optimizer.lr: expected a number from 0 to 1000, "
      "got 'abc'\n"
      "top.yaml:3: schedule.warmup_epochs: 20 leaves nothing of schedule.epochs 10 "
      "(see recipe.yaml:2)");
}

TEST_F(ReaderFiles, NameTheCycleOfTheirBases) {
  write_whole("a.yaml", "base: sub/b.yaml\n");
  write_whole("sub/b.yaml", "\nbase: ../sub/../a.yaml\n");
  write_whole("self.yaml", "base: self.yaml\n");
  EXPECT_EQ(error_of([] { load_config("a.yaml"); }),
            "sub/b.yaml:2: base: cycle: a.yaml -> sub/b.yaml -> a.yaml");
  EXPECT_EQ(error_of([] { load_config("self.yaml"); }),
            "self.yaml:1: base: cycle: self.yaml -> self.yaml");
}

TEST_F(ReaderFiles, NameABaseThatCannotBeRead) {
  write_whole("top.yaml", "base: recipe.yaml\nema: {decay: 2}\n");
  EXPECT_EQ(error_of([] { load_config("top.yaml"); }),
            "top.yaml:1: base: recipe.yaml: no such configuration\n"
            "top.yaml:2: ema.decay: expected a number from 0 to 0.999999, got '2'");
  write_whole("top.yaml", "base: [recipe.yaml]\n");
  EXPECT_EQ(error_of([] { load_config("top.yaml"); }),
            "top.yaml:1: base: expected text, got a list of 1");
  write_whole("top.yaml", "base: sub\n");
  EXPECT_EQ(error_of([] { load_config("top.yaml"); }),
            "top.yaml:1: base: sub: is a folder, expected a configuration");
  write_whole("top.yaml", "base: recipe.yaml\n");
  write_whole("recipe.yaml", "ema: {\n");
  EXPECT_EQ(error_of([] { load_config("top.yaml", {"data.eval_resize=64"}); }),
            "recipe.yaml:2: not valid YAML: end of map flow not found");
}

TEST_F(ReaderFiles, MustBeThere) {
  EXPECT_EQ(error_of([] { load_config("none.yaml"); }), "none.yaml: no such configuration");
  EXPECT_EQ(error_of([] { load_config("sub"); }), "sub: is a folder, expected a configuration");
}

TEST_F(ReaderFiles, MustBeConfigurations) {
  ASSERT_EQ(::mkfifo("pipe.yaml", 0600), 0);
  write_whole("empty.yaml", "");
  write_whole("sparse.yaml", "");
  fs::resize_file("sparse.yaml", 10'000'000'000);
  write_whole("garbage.yaml", std::string("\x7f"
                                          "ELF\0\1\xff\xfe\n\0",
                                          11));
  const std::string large =
      "sparse.yaml: is larger than any configuration (10000000000 bytes, expected at most 1048576)";
  EXPECT_EQ(load_config("empty.yaml"), Config{});
  EXPECT_EQ(error_of([] { load_config("pipe.yaml"); }),
            "pipe.yaml: is not a regular file, expected a configuration");
  EXPECT_EQ(error_of([] { load_config("/dev/full"); }),
            "/dev/full: is not a regular file, expected a configuration");
  EXPECT_EQ(error_of([] { load_config("sparse.yaml"); }), large);
  const std::string garbage = error_of([] { load_config("garbage.yaml"); });
  EXPECT_TRUE(garbage.starts_with("garbage.yaml:1: ")) << garbage;
  EXPECT_EQ(garbage.find_first_of("\n\x7f"), std::string::npos) << garbage;

  for (const char* base : {"pipe.yaml", "/dev/full", "sparse.yaml", "sub", "''"}) {
    write_whole("top.yaml", fmt::format("base: {}\nema: {{decay: 2}}\n", base));
    const std::string error = error_of([] { load_config("top.yaml"); });
    EXPECT_TRUE(error.starts_with("top.yaml:1: base: ")) << error;
    EXPECT_NE(error.find("\ntop.yaml:2: ema.decay: "), std::string::npos) << error;
  }
}

TEST_F(ReaderFiles, SayWhereValuesComeFrom) {
  write_whole("recipe.yaml", "optimizer:\n  lr: 0.5\n  momentum: 0.8\nema:\n");
  write_whole("top.yaml", "base: recipe.yaml\n\noptimizer: {lr: 0.25}\n");
  const auto [config, origins] =
      load_traced_config("top.yaml", {"output.dir=\"a\nb\"", "loss={label_smoothing: 0}"});
  EXPECT_EQ(origins.at("optimizer.lr"), "top.yaml:3");
  EXPECT_EQ(origins.at("optimizer.momentum"), "recipe.yaml:3");
  EXPECT_EQ(origins.at("output.dir"), "command line: output.dir=\"a b\"");
  EXPECT_EQ(origins.at("loss.label_smoothing"), "command line: loss={label_smoothing: 0}");
  EXPECT_FALSE(origins.contains("ema.decay"));
}

TEST_F(ReaderFiles, TakeOverrides) {
  write_whole("cfg.yaml", "output: {dir: here}\n");
  const Config config =
      load_config("cfg.yaml", {"model.variant=s1", "model.depths=[1, 2, 3, 4]",
                               "output.dir=", "data.train=a=b.c", "ema.decay=0.5", "ema.decay=0.75",
                               "loss={label_smoothing: 0}", "model.freeze=[stem, stage2]",
                               "model.pretrained=s1.pth", "optimizer.lr_factors={stage1: 0.5}",
                               "optimizer.lr_factors.classifier=10",
                               "curriculum.stages=[{epoch: 0, size: 64, strength: 0.5}]"});
  EXPECT_EQ(config.model.variant, Variant::kS1);
  EXPECT_EQ(config.model.depths, (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(config.output.dir, "");
  EXPECT_EQ(config.data.train, "a=b.c");
  EXPECT_EQ(config.ema.decay, 0.75);
  EXPECT_EQ(config.loss.label_smoothing, 0);
  EXPECT_EQ(config.model.freeze, (std::vector<Part>{Part::kStem, Part::kStage2}));
  EXPECT_EQ(config.optimizer.lr_factors.stage1, 0.5);
  EXPECT_EQ(config.optimizer.lr_factors.classifier, 10);
  EXPECT_EQ(config.curriculum.stages, (std::vector<CurriculumStage>{{0, 64, 0.5}}));
}

struct BadOverride {
  const char* text;
  const char* message;
};

TEST_F(ReaderFiles, RefuseOverrides) {
  write_whole("cfg.yaml", "schedule: {batch_size: 64}\n");
  for (const auto& [text, message] : {
           BadOverride{"ema.decay", "ema.decay: expected section.key=value"},
           BadOverride{"", ": expected section.key=value"},
           BadOverride{"ema.decay=",
                       "ema.decay=: ema.decay: expected a number from 0 to 0.999999, got "
                       "the text ''"},
           BadOverride{"ema.decay=[1",
                       "ema.decay=[1: not valid YAML: end of sequence flow not found"},
           BadOverride{"ema.dekay=1",
                       "ema.dekay=1: ema.dekay: unknown key; did you mean 'decay'? "
                       "(known: decay, warmup)"},
           BadOverride{"ema.decay.x=1",
                       "ema.decay.x=1: ema.decay: expected a number from 0 to 0.999999, got "
                       "a map"},
           BadOverride{"optimizer.lr_factors.heads=2",
                       "optimizer.lr_factors.heads=2: optimizer.lr_factors.heads: unknown key; did "
                       "you mean 'head'? (known: stem, stage1, stage2, stage3, stage4, classifier, "
                       "head)"},
           BadOverride{"lr=0.1",
                       "lr=0.1: lr: unknown section; did you mean 'optimizer.lr'? "
                       "(known: model, segment, detect, data, augment, optimizer, schedule, loss, "
                       "ema, curriculum, runtime, checkpoints, output)"},
           BadOverride{"base=x.yaml",
                       "base=x.yaml: base: unknown section (known: model, segment, detect, data, "
                       "augment, optimizer, schedule, loss, ema, curriculum, "
                       "runtime, checkpoints, output)"},
           BadOverride{"schedule.accumulate=5",
                       "schedule.accumulate=5: schedule.accumulate: 5 does not divide "
                       "schedule.batch_size 64 (see cfg.yaml:1)"},
       }) {
    EXPECT_EQ(error_of([&] { load_config("cfg.yaml", {text}); }),
              std::string("command line: ") + message);
  }
}

}  // namespace
}  // namespace mobileone
