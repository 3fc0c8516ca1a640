// Runs that start from a file of weights, as a user would start them.
#include <signal.h>

#include <filesystem>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/reader.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// The workshop's run without its branches.
const std::string& folded_file() {
  static const std::string path = [] {
    const std::string folded = shop().path("folded.pth");
    const auto outcome = run_program({"reparam", shop().path("run/best.pth"), "-o", folded});
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    return folded;
  }();
  return path;
}

std::vector<std::string> fine_tuning(const std::string& dir, std::vector<std::string> more) {
  more.insert(more.begin(), {"model.pretrained=" + folded_file(), "model.freeze=[stem, stage2]",
                             "optimizer.lr_factors={classifier: 3}"});
  return shop().training(dir, more);
}

void expect_equal_weights(const StateDict& first, const StateDict& second) {
  ASSERT_EQ(first.keys(), second.keys());
  for (const auto& item : first) {
    EXPECT_TRUE(torch::equal(item.value(), second[item.key()])) << item.key();
  }
}

TEST(FineTuning, KeepsTheFunctionOfAFoldedFileAtFirst) {
  const auto outcome = run_program(fine_tuning("kept", {"optimizer.lr=0", "ema.decay=0"}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.errors.find("branches were put back"), std::string::npos) << outcome.errors;
  EXPECT_EQ(outcome.errors.find("made anew"), std::string::npos) << outcome.errors;
  const Checkpoint kept = load_checkpoint(shop().path("kept/last.pth"));
  EXPECT_EQ(kept.config.model.pretrained, folded_file());
  const StateDict& before = load_checkpoint(folded_file()).weights;
  for (const char* name : {"stage0", "stage2.0", "stage2.1"}) {
    EXPECT_TRUE(torch::equal(kept.weights[name + std::string(".rbr_conv.0.conv.weight")],
                             before[name + std::string(".reparam_conv.weight")]));
  }
  EXPECT_TRUE(torch::equal(kept.weights["linear.weight"], before["linear.weight"]));
}

TEST(FineTuning, StoppedInAnEpochEqualsNeverStopped) {
  const std::vector<std::string> more = {"schedule.epochs=60", "schedule.batch_size=4",
                                         "checkpoints.every_minutes=0"};
  Process whole(fine_tuning("tuned", more));
  ASSERT_EQ(whole.wait(), 0) << whole.errors();
  Process stopped(fine_tuning("tuned_stopped", more));
  ASSERT_TRUE(wait_for(shop().path("tuned_stopped/last.pth"))) << stopped.errors();
  stopped.send(SIGTERM);
  ASSERT_EQ(stopped.wait(), 128 + SIGTERM) << stopped.errors();
  auto resumed_arguments = fine_tuning("tuned_stopped", more);
  resumed_arguments.push_back("--resume");
  // The file has done its part: it may go.
  resumed_arguments.push_back("model.pretrained=gone.pth");
  Process resumed(resumed_arguments);
  ASSERT_EQ(resumed.wait(), 0) << resumed.errors();
  const Checkpoint first = load_checkpoint(shop().path("tuned/last.pth")),
                   second = load_checkpoint(shop().path("tuned_stopped/last.pth"));
  expect_equal_weights(first.weights, second.weights);
  expect_equal_weights(first.ema, second.ema);
  expect_equal_weights(first.training->optimizer.at("momentum"),
                       second.training->optimizer.at("momentum"));
  EXPECT_FALSE(first.training->optimizer.at("momentum").contains("stage0.rbr_conv.0.conv.weight"));
}

TEST(FineTuning, OtherClassesGetANewClassifier) {
  for (const char* split : {"train", "val"}) {
    for (const char* name : {"star", "ring", "dots"}) {
      fs::create_directories(shop().path("few/") + split);
      fs::copy(shop().shapes(split) + "/" + name, shop().path("few/") + split + "/" + name,
               fs::copy_options::recursive);
    }
  }
  const auto outcome = run_program(shop().training(
      "few_run", {"model.pretrained=" + shop().path("run/best.pth"),
                  "data.train=" + shop().path("few/train"), "data.val=" + shop().path("few/val")}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.errors.find("its classifier has 10 classes; made anew for the 3 of " +
                                shop().path("few/train")),
            std::string::npos)
      << outcome.errors;
}

TEST(FineTuning, FindsLearningRatesFromTheWeights) {
  auto arguments = fine_tuning("unused", {});
  arguments.front() = "find-lr";
  arguments.insert(arguments.end(), {"--steps", "40", "--from", "0.001", "--to", "10"});
  const auto outcome = run_program(arguments);
  EXPECT_NE(outcome.errors.find("starting from the weights in " + folded_file()), std::string::npos)
      << outcome.errors;
}

struct BadOverrides {
  std::vector<std::string> overrides;
  std::string message;
};

TEST(FineTuning, FilesThatDoNotFitAreRefused) {
  const std::string best = shop().path("run/best.pth"), pretrained = "model.pretrained=" + best;
  const BadOverrides mistakes[] = {
      {{"model.pretrained=" + shop().path("missing.pth")}, "missing.pth"},
      {{pretrained, "model.width_multipliers=[0.25, 0.125, 0.125, 0.25]"},
       "model.width_multipliers: " + best +
           " has 16 channels in the stem, [16, 16, 32, 64] in the stages, the configuration 16 "
           "channels in the stem, [16, 16, 32, 128] in the stages; set it as the file has it"},
      {{pretrained, "model.branches=3"},
       "model.branches: " + best + " has [2, 2, 2, 2] branches, the configuration [3, 3, 3, 3]"},
      {{pretrained, "model.depths=[1, 1, 2, 1]"},
       "model.depths: " + best + " has [1, 1, 1, 1] blocks, the configuration [1, 1, 2, 1] blocks"},
      {{pretrained, "model.se_blocks=[0, 0, 1, 0]"}, "model.se_blocks: " + best},
      {{pretrained, "model.freeze=[stem, classifer]"}, "did you mean 'classifier'?"},
      {{"model.freeze=[stem]"}, "model.freeze: needs model.pretrained"}};
  for (const auto& [overrides, message] : mistakes) {
    const auto outcome = run_program(shop().training("refused", overrides));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_NE(outcome.errors.find(message), std::string::npos)
        << "got:      " << outcome.errors << "expected: " << message;
    EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
  }
}

}  // namespace
}  // namespace mobileone
