// What a run says, which of its weights are taken, and what it does where numbers end.
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A run whose moving average stays the random start.
const Outcome& unripe_run() {
  static const Outcome outcome =
      run_program(shop().training("unripe", {"ema.decay=0.9999", "ema.warmup=false",
                                             "schedule.epochs=6", "optimizer.lr=0.05"}));
  return outcome;
}

TEST(Train, SaysWhatItTrainsAndWhatCameOfIt) {
  const auto outcome =
      run_program(shop().training("spoken", {"schedule.epochs=2", "schedule.batch_size=16"}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const std::string& said = outcome.errors;
  EXPECT_TRUE(contains(said, " on 40 images of 10 classes in " + shop().shapes("train"))) << said;
  EXPECT_TRUE(contains(said, "validation on 20 images of 10 classes in ")) << said;
  EXPECT_TRUE(
      contains(said, "2 epochs of 2 steps of 16 images at 32 px, on cpu, 1 thread, in about"))
      << said;
  EXPECT_TRUE(contains(said, "; into " + shop().path("spoken"))) << said;
  EXPECT_TRUE(contains(said, "8 of 40 images are left out of each epoch, others each time"))
      << said;
  EXPECT_TRUE(contains(said, "  run: ")) << said;
  EXPECT_TRUE(contains(said, "% top-1 at best, by the ")) << said;
  EXPECT_TRUE(contains(said, shop().path("spoken/best.pth"))) << said;
}

TEST(Train, AnAverageThatARunIsTooShortForIsToldAtItsStart) {
  EXPECT_TRUE(
      contains(unripe_run().errors,
               "warning: ema.decay: 0.9999 is too slow for the 24 steps of this run: at its "
               "end 100 % of the moving average will be the first weights"))
      << unripe_run().errors;
  const auto warmed = run_program(shop().training("warmed", {"ema.decay=0.9999"}));
  EXPECT_TRUE(contains(warmed.errors, "its warm-up comes to 0.6031")) << warmed.errors;
}

/// By each command, from the run's own figures.
TEST(Train, TheBetterWeightsAreTheBestAndTaken) {
  ASSERT_EQ(unripe_run().status, 0) << unripe_run().errors;
  const std::string best = shop().path("unripe/best.pth");
  const Checkpoint checkpoint = load_checkpoint(best);
  ASSERT_EQ(checkpoint.better, Weights::kRaw);
  EXPECT_TRUE(contains(unripe_run().errors, "by the raw weights after epoch "));
  const std::vector<std::vector<std::string>> commands = {
      {"eval", best, "--data", shop().shapes("val")},
      {"predict", best, shop().shapes("val") + "/star/0000.jpg"},
      {"reparam", best, "-o", shop().path("taken.pth")},
      {"convert", best, shop().path("taken.safetensors")},
      {"export", best, "-o", shop().path("taken.pt")},
      {"bench", "latency", best, "--rounds", "1", "--size", "32"}};
  for (const auto& command : commands) {
    const auto outcome = run_program(command);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_TRUE(contains(outcome.errors, best + ": its raw weights are taken: ")) << outcome.errors;
  }
  const auto asked = run_program({"eval", best, "--data", shop().shapes("val"), "--ema"});
  EXPECT_EQ(asked.status, 0) << asked.errors;
  EXPECT_FALSE(contains(asked.errors, "are taken")) << asked.errors;
  const auto both = run_program({"eval", best, "--data", shop().shapes("val"), "--ema", "--raw"});
  EXPECT_EQ(both.status, 2);
  const auto taken = load_checkpoint(shop().path("taken.safetensors"));
  EXPECT_TRUE(torch::equal(taken.weights["linear.weight"], checkpoint.weights["linear.weight"]));
}

TEST(Train, NoTopFiveOfFiveClasses) {
  const auto drawn = run_program(
      {"data", "shapes", shop().path("few"), "--train", "4", "--val", "1", "--size", "32"});
  ASSERT_EQ(drawn.status, 0);
  for (const char* split : {"train", "val"}) {
    int kept = 0;
    for (const auto& folder : fs::directory_iterator(shop().path("few/") + split)) {
      if (++kept > 5) fs::remove_all(folder.path());
    }
  }
  const auto outcome = run_program(shop().training(
      "five", {"data.train=" + shop().path("few/train"), "data.val=" + shop().path("few/val")}));
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_FALSE(contains(outcome.errors, "top5")) << outcome.errors;
  EXPECT_FALSE(contains(read_file(shop().path("five/metrics.csv")), "top5"));
}

TEST(Train, ClassesCanWeighAndBeDrawnAlike) {
  const std::string list = shop().path("lopsided.csv");
  std::string rows = "path,label\n";
  for (const auto& [name, images, label] : {std::tuple{"star", 4, 0}, std::tuple{"circle", 2, 1}}) {
    for (int i = 0; i < images; ++i) {
      rows += fmt::format("{}/{}/{:04}.jpg,{}\n", shop().shapes("train"), name, i, label);
    }
  }
  write_whole(list, rows);
  const auto train = [&](const std::string& dir, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"data.train=" + list, "data.val=", "schedule.epochs=2",
                                          "schedule.batch_size=6"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(shop().training(dir, arguments));
  };
  EXPECT_EQ(train("lopsided1", {"data.sampler=balanced"}).status, 0);
  EXPECT_EQ(train("lopsided2", {"loss.balanced=true"}).status, 0);
  // The same weights by hand: 6 / (2 x 4) and 6 / (2 x 2).
  EXPECT_EQ(train("lopsided3", {"loss.class_weights=[0.75, 1.5]"}).status, 0);
  const auto weights = [](const std::string& dir) {
    return load_checkpoint(shop().path(dir + "/last.pth")).weights["linear.weight"];
  };
  EXPECT_TRUE(torch::equal(weights("lopsided2"), weights("lopsided3")));
  EXPECT_FALSE(torch::equal(weights("lopsided1"), weights("lopsided3")));
  const auto refused = train("lopsided4", {"loss.class_weights=[1, 2, 3]"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(
      contains(refused.errors, "loss.class_weights: expected one for each of the 2 classes"))
      << refused.errors;
}

TEST(Train, TooMuchMemoryIsRefusedBeforeItIsTaken) {
  for (const char* key : {"data.size=4096", "model.width_multipliers=[64, 64, 64, 64]"}) {
    const auto outcome = run_program(
        shop().training("giant", {key, "schedule.batch_size=40", "runtime.memory_limit=4"}));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.errors, "training would take about ")) << outcome.errors;
    EXPECT_FALSE(fs::exists(shop().path("giant"))) << key;
  }
}

/// Every checkpoint that a run has left computes numbers.
void expect_sound_checkpoints(const std::string& dir) {
  for (const auto& entry : fs::directory_iterator(shop().path(dir))) {
    if (entry.path().extension() != ".pth") continue;
    const Checkpoint checkpoint = load_checkpoint(entry.path());
    torch::NoGradGuard no_grad;
    for (const Weights weights : {Weights::kRaw, Weights::kAverage}) {
      MobileOne network = make_network(checkpoint, entry.path().string(), weights);
      EXPECT_TRUE(network->forward(torch::randn({2, 3, 32, 32})).isfinite().all().item<bool>())
          << entry.path();
    }
  }
}

TEST(Diverged, ARunIsEndedBeforeItOverwritesWhatIsSound) {
  for (const char* handling : {"stop", "skip"}) {
    const std::string dir = fmt::format("diverged-{}", handling);
    const auto outcome = run_program(
        shop().training(dir, {"schedule.epochs=30", "optimizer.lr=1000", "optimizer.momentum=0.99",
                              "optimizer.lr_factors={classifier: 1000}", "checkpoints.keep=2",
                              fmt::format("runtime.on_nonfinite={}", handling)}));
    EXPECT_EQ(outcome.status, 2) << outcome.errors;
    EXPECT_TRUE(contains(outcome.errors, "; last good checkpoint: ")) << outcome.errors;
    expect_sound_checkpoints(dir);
    if (contains(outcome.errors, "none yet")) continue;
    EXPECT_TRUE(contains(outcome.errors, shop().path(dir + "/last.pth"))) << outcome.errors;
    EXPECT_TRUE(has_checkpoint(shop().path(dir)));
  }
}

TEST(Diverged, AnEpochWithoutAFiniteBatchIsNone) {
  const auto outcome = run_program(shop().training(
      "from-nan", {"data.mean=[1e300, 1e300, 1e300]", "runtime.on_nonfinite=skip"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(contains(outcome.errors,
                       "epoch 1: no batch had a finite loss and gradient; last good "
                       "checkpoint: none yet"))
      << outcome.errors;
  EXPECT_FALSE(has_checkpoint(shop().path("from-nan")));
}

}  // namespace
}  // namespace mobileone
