#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>

#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/random.h"
#include "support/error_of.h"

/// How one document is read: src/config/document.h, through `parse_config`.
namespace mobileone {
namespace {
using namespace std::literals;

std::string error_in(const std::string& yaml) {
  return error_of([&] { parse_config(yaml, "cfg.yaml"); });
}

TEST(Document, AnEmptyTextIsTheDefaults) {
  for (const char* text : {"", "# nothing\n", "---\n", "{}", "model:\ndata: {}\n"}) {
    EXPECT_EQ(parse_config(text, "cfg.yaml"), Config{}) << text;
  }
}

TEST(Document, ReadsEveryType) {
  const Config config = parse_config(R"(
model: {variant: s4, num_classes: 10, width_multipliers: [1, 1.5, 2, 2.5], branches: [3]}
data: {train: 2012, val: 'my images', mean: [0, 0, 0]}
optimizer: {lr: 1, weight_decay: 1e-4, nesterov: true}
schedule: {epochs: 1e2, batch_size: 64.0}
curriculum:
  stages:
    - {epoch: 0, size: 96, strength: 0.5}
    - epoch: 10
      size: 128
runtime: {seed: 9007199254740992, precision: "bf16"}
)",
                                     "cfg.yaml");
  EXPECT_EQ(config.model.variant, Variant::kS4);
  EXPECT_EQ(config.model.num_classes, 10);
  EXPECT_EQ(config.model.width_multipliers, (std::vector<double>{1, 1.5, 2, 2.5}));
  EXPECT_EQ(config.model.branches, std::vector<int64_t>{3});
  EXPECT_EQ(config.data.train, "2012");
  EXPECT_EQ(config.data.val, "my images");
  EXPECT_EQ(config.data.mean, (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(config.optimizer.lr, 1);
  EXPECT_EQ(config.optimizer.weight_decay, 1e-4);
  EXPECT_TRUE(config.optimizer.nesterov);
  EXPECT_EQ(config.schedule.epochs, 100);
  EXPECT_EQ(config.schedule.batch_size, 64);
  EXPECT_EQ(config.curriculum.stages, (std::vector<CurriculumStage>{{0, 96, 0.5}, {10, 128, 1.0}}));
  EXPECT_EQ(config.runtime.seed, 9007199254740992);
  EXPECT_EQ(config.runtime.precision, Precision::kBfloat16);
}

TEST(Document, ReadsASingleNumberAsAListOfOne) {
  EXPECT_EQ(parse_config("model: {branches: 4}", "cfg.yaml").model.branches,
            std::vector<int64_t>{4});
}

struct BadText {
  const char* yaml;
  const char* message;
};

void expect_refused(std::initializer_list<BadText> texts) {
  for (const auto& [yaml, message] : texts) EXPECT_EQ(error_in(yaml), message) << yaml;
}

TEST(Document, RefusesKeys) {
  expect_refused(
      {{"\nema:\n  dacay: 0.9",
        "cfg.yaml:3: ema.dacay: unknown key; did you mean 'decay'? (known: decay, warmup)"},
       {"loss: {gamma: 2}",
        "cfg.yaml:1: loss.gamma: unknown key (known: label_smoothing, class_weights, "
        "balanced)"},
       {"output: {lr: 1}",
        "cfg.yaml:1: output.lr: unknown key; did you mean 'optimizer.lr'? "
        "(known: dir, log_every, json_log)"},
       {"shedule: {epochs: 1}",
        "cfg.yaml:1: shedule: unknown section; did you mean 'schedule'? "
        "(known: model, segment, detect, data, augment, optimizer, schedule, loss, ema, "
        "curriculum, runtime, checkpoints, output)"},
       {"base: other.yaml",
        "cfg.yaml:1: base: unknown section "
        "(known: model, segment, detect, data, augment, optimizer, schedule, loss, ema, "
        "curriculum, runtime, checkpoints, output)"},
       {"ema:\n  decay: 0.9\n  decay: 0.9", "cfg.yaml:3: ema.decay: given twice, first in line 2"},
       {"ema: {}\nloss: {}\nema: {}", "cfg.yaml:3: ema: given twice, first in line 1"},
       {"curriculum:\n  stages:\n  - {epoch: 0, sise: 96}",
        "cfg.yaml:3: curriculum.stages[0].sise: unknown key; did you mean 'size'? "
        "(known: epoch, size, strength)"},
       {"ema:\n  [a]: 1", "cfg.yaml:2: ema: expected a key, got a list of 1"},
       {"ema: 0.99", "cfg.yaml:1: ema: expected a map with the keys decay, warmup, got '0.99'"},
       {"ema: [0.99]",
        "cfg.yaml:1: ema: expected a map with the keys decay, warmup, got a list of 1"}});
}

TEST(Document, RefusesValues) {
  expect_refused(
      {{"optimizer:\n  lr: fast",
        "cfg.yaml:2: optimizer.lr: expected a number from 0 to 1000, got 'fast'"},
       {"ema: {decay: '0.9'}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got the text '0.9'"},
       {"ema: {decay: !!str 0.9}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got the text '0.9'"},
       {"ema: {decay: .nan}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got '.nan'"},
       {"ema: {decay: nan}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got 'nan'"},
       {"data: {mean: [0, inf, 0]}", "cfg.yaml:1: data.mean[1]: expected a number, got 'inf'"},
       {"data: {mean: [0, 1e999, 0]}", "cfg.yaml:1: data.mean[1]: expected a number, got '1e999'"},
       {"ema: {decay: 1.01}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got '1.01'"},
       {"ema: {decay: -0.5}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got '-0.5'"},
       {"ema: {decay: 0,9}", "cfg.yaml:1: ema.9: unknown key (known: decay, warmup)"},
       {"ema: {decay: }",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got nothing"},
       {"ema:\n  decay:\n    start: 1",
        "cfg.yaml:2: ema.decay: expected a number from 0 to 0.999999, got a map"},
       {"schedule: {epochs: 1.5}",
        "cfg.yaml:1: schedule.epochs: expected an integer from 1 to 1000000 epochs, got '1.5'"},
       {"schedule: {epochs: 1e-2}",
        "cfg.yaml:1: schedule.epochs: expected an integer from 1 to 1000000 epochs, got '1e-2'"},
       {"schedule: {epochs: 1e99}",
        "cfg.yaml:1: schedule.epochs: expected an integer from 1 to 1000000 epochs, got '1e99'"},
       {"schedule: {epochs: true}",
        "cfg.yaml:1: schedule.epochs: expected an integer from 1 to 1000000 epochs, got "
        "'true'"},
       {"runtime: {seed: 9007199254740993}",
        "cfg.yaml:1: runtime.seed: expected an integer from 0 to 9007199254740992, "
        "got '9007199254740993'"},
       {"runtime: {seed: 99999999999999999999}",
        "cfg.yaml:1: runtime.seed: expected an integer from 0 to 9007199254740992, "
        "got '99999999999999999999'"},
       {"optimizer: {nesterov: yes}",
        "cfg.yaml:1: optimizer.nesterov: expected true or false, got 'yes'"},
       {"optimizer: {nesterov: 1}",
        "cfg.yaml:1: optimizer.nesterov: expected true or false, got '1'"},
       {"optimizer: {nesterov: 'true'}",
        "cfg.yaml:1: optimizer.nesterov: expected true or false, got the text 'true'"},
       {"model: {variant: S0}",
        "cfg.yaml:1: model.variant: expected one of s0, s1, s2, s3, s4, got 'S0'; "
        "did you mean 's0'?"},
       {"model: {variant: [s0]}",
        "cfg.yaml:1: model.variant: expected one of s0, s1, s2, s3, s4, got a list of 1"},
       {"model: {freeze: [stem, stage5]}",
        "cfg.yaml:1: model.freeze[1]: expected one of stem, stage1, stage2, stage3, stage4, "
        "classifier, head, got 'stage5'; did you mean 'stage1'?"},
       {"model: {freeze: stem}",
        "cfg.yaml:1: model.freeze: expected a list of stem, stage1, stage2, stage3, stage4, "
        "classifier, head, got 'stem'"},
       {"optimizer: {lr_factors: 0.1}",
        "cfg.yaml:1: optimizer.lr_factors: expected a map with the keys stem, stage1, stage2, "
        "stage3, stage4, classifier, head, got '0.1'"},
       {"data:\n  train:\n", "cfg.yaml:2: data.train: expected text, got nothing"},
       {"data: {train: [a, b]}", "cfg.yaml:1: data.train: expected text, got a list of 2"},
       {"model: {branches: four}",
        "cfg.yaml:1: model.branches: expected a list of 0, 1 or 4 integers from 1 to 64 branches, "
        "or one such number, got 'four'"},
       {"model: {branches: 65}",
        "cfg.yaml:1: model.branches: expected a list of 0, 1 or 4 integers from 1 to 64 branches, "
        "or one such number, got '65'"},
       {"model: {branches: '4'}",
        "cfg.yaml:1: model.branches: expected a list of 0, 1 or 4 integers from 1 to 64 branches, "
        "or one such number, got the text '4'"},
       {"model: {branches: [4, 4]}",
        "cfg.yaml:1: model.branches: expected 0, 1 or 4 numbers, got 2"},
       {"model: {depths: 4}",
        "cfg.yaml:1: model.depths: expected a list of 0 or 4 integers from 1 to 1000 blocks, "
        "got '4'"},
       {"model: {output_stride: 4}",
        "cfg.yaml:1: model.output_stride: expected 8, 16 or 32, got '4'"},
       {"model: {output_stride: 24}",
        "cfg.yaml:1: model.output_stride: expected 8, 16 or 32, got 24"},
       {"model:\n  depths: [2,\n    0, 10, 1]",
        "cfg.yaml:3: model.depths[1]: expected an integer from 1 to 1000 blocks, got '0'"},
       {"data: {std: [1, 1]}", "cfg.yaml:1: data.std: expected 1 or 3 numbers, got 2"},
       {"data: {std: [1, 0, 1]}",
        "cfg.yaml:1: data.std[1]: expected a number of at least 1e-06, got '0'"},
       {"curriculum: {stages: 160}",
        "cfg.yaml:1: curriculum.stages: expected a list of {epoch, size, strength}, "
        "got '160'"},
       {"curriculum: {stages: [160]}",
        "cfg.yaml:1: curriculum.stages[0]: expected a map with the keys epoch, size, "
        "strength, got '160'"},
       {"ema: {decay: \"a\\nb\"}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got the text 'a b'"},
       {"ema: {decay: 12345678901234567890123456789012345678901234567890123456789éx}",
        "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got "
        "'12345678901234567890123456789012345678901234567890123456789...'"}});
}

TEST(Document, RefusesTexts) {
  expect_refused(
      {{"model: {}\nema: [1, 2", "cfg.yaml:2: not valid YAML: end of sequence flow not found"},
       {"a: b: c", "cfg.yaml:1: not valid YAML: illegal map value"},
       {"ema: *decay", "cfg.yaml:1: not valid YAML: the referenced anchor is not defined"},
       {"ema: {}\n---\nloss: {}", "cfg.yaml:2: not valid YAML: more than one document"},
       {",", "cfg.yaml:1: not valid YAML: more than one document"},
       {"ema: {}\n]", "cfg.yaml:2: not valid YAML: illegal flow end"},
       {"hello",
        "cfg.yaml:1: expected a map with the keys model, segment, detect, data, augment, "
        "optimizer, schedule, loss, ema, curriculum, runtime, checkpoints, output, got 'hello'"},
       {"data:\n  eval_crop: 224\n  eval_resize: 128",
        "cfg.yaml:2: data.eval_crop: 224 is larger than data.eval_resize 128 "
        "(see cfg.yaml:3)"},
       {"data:\n  eval_resize: 128",
        "cfg.yaml:2: data.eval_crop: 224 is larger than data.eval_resize 128"}});
}

TEST(Document, ReportsEveryFaultInTheOrderOfTheFile) {
  EXPECT_EQ(error_in("ema: {decay: 2}\n"
                     "schedule:\n"
                     "  accumulate: 3\n"
                     "  epochs: 0\n"
                     "  warmup_epochs: 400\n"
                     "losses: {}\n"),
            "cfg.yaml:1: ema.decay: expected a number from 0 to 0.999999, got '2'\n"
            "cfg.yaml:4: schedule.epochs: expected an integer from 1 to 1000000 epochs, got '0'\n"
            "cfg.yaml:6: losses: unknown section; did you mean 'loss'? (known: model, segment, "
            "detect, data, augment, optimizer, schedule, loss, ema, curriculum, runtime, "
            "checkpoints, output)\n"
            // Nothing about warmup_epochs: the epochs it should be less than could not be read.
            "cfg.yaml:3: schedule.accumulate: 3 does not divide schedule.batch_size 256");
}

std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Document, RefusesExorbitantTexts) {
  std::string laughs = "model:\n  a0: &a0 [ha, ha]\n";
  for (int i = 1; i < 40; ++i) {
    laughs += fmt::format("  a{0}: &a{0} [*a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  const std::string deep = "cfg.yaml:1: not valid YAML: nested deeper than 64 levels";
  EXPECT_EQ(error_in(laughs), "cfg.yaml:9: not valid YAML: more than 10000 values");
  EXPECT_EQ(error_in("model: &a {depths: *a}"),
            "cfg.yaml:1: not valid YAML: an alias within its own anchor");
  EXPECT_EQ(error_in("model: " + repeated("[", 1 << 20)), deep);
  EXPECT_EQ(error_in(repeated("{a: ", 1 << 18)), deep);
  EXPECT_EQ(error_in(repeated("- ", 1 << 19)), deep);
  EXPECT_EQ(error_in("data: {mean: [" + repeated("0, ", 1 << 18) + "]}"),
            "cfg.yaml:1: not valid YAML: more than 10000 values");
  EXPECT_EQ(error_in("model: {variant: " + repeated("s", 1 << 20) + "}"),
            "cfg.yaml:1: model.variant: expected one of s0, s1, s2, s3, s4, got '" +
                repeated("s", 60) + "...'");
}

/// Every value beyond its field's range is refused, every bound itself is read.
TEST(Document, KeepsTheRangeOfEveryNumber) {
  Config{}.visit([](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&]<typename F>(std::string_view name, F&, const FieldInfo& info) {
      if constexpr (std::is_arithmetic_v<F> && !std::is_same_v<F, bool>) {
        const auto read = [&](double value) {
          const auto yaml = fmt::format("{}: {{{}: {}}}", section, name, value);
          return error_in(yaml);
        };
        for (const double beyond : {info.min - 1, info.max * 2 + 1}) {
          EXPECT_NE(read(beyond).find(fmt::format("{}.{}: expected ", section, name)),
                    std::string::npos)
              << read(beyond);
        }
        for (const double bound : {info.min, info.max}) {
          EXPECT_EQ(read(bound).find("expected "), std::string::npos) << read(bound);
        }
      }
    });
  });
}

TEST(Document, RefusesDamagedTextsOnlyByError) {
  const std::string whole = to_yaml(Config{}) + "curriculum: {stages: [{epoch: 0}]}\n";
  const std::string_view special = "{}[]:,#&*!|>'\"%@`\n\t -?~\\\0\xff"sv;
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text = whole.substr(random.integer(whole.size()), random.integer(300));
    for (int damage = 0; damage < 3 && !text.empty(); ++damage) {
      text[random.integer(text.size())] = special[random.integer(special.size())];
    }
    const std::string error = error_in(text);
    EXPECT_TRUE(error.empty() || error.starts_with("cfg.yaml:")) << error << "\n" << text;
  }
}

}  // namespace
}  // namespace mobileone
