#include "mobileone/checkpoint/checkpoint.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/util/error.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

/// A checkpoint of a run in mid-training, with weights of 1 and an average of 2.
Checkpoint two_sets() {
  Checkpoint checkpoint;
  checkpoint.weights.insert("linear.weight", torch::ones({2, 3}));
  checkpoint.ema.insert("linear.weight", torch::full({2, 3}, 2.0));
  checkpoint.training.emplace().step = 300;
  return checkpoint;
}

TEST(ChooseWeights, TakesTheOneThatDidBetter) {
  Checkpoint checkpoint = two_sets();
  for (const Weights better : {Weights::kRaw, Weights::kAverage}) {
    checkpoint.better = better;
    EXPECT_EQ(choose_weights(checkpoint, "x.pth"), better);
    for (const Weights wanted : {Weights::kRaw, Weights::kAverage}) {
      EXPECT_EQ(choose_weights(checkpoint, "x.pth", wanted), wanted);
    }
  }
}

TEST(ChooseWeights, ComparesTheMetricsOfOlderFiles) {
  Checkpoint checkpoint = two_sets();
  checkpoint.metrics = {{"val_top1", 46}, {"ema_top1", 26}};
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kRaw);
  checkpoint.metrics = {{"val_top1", 46}, {"ema_top1", 46.5}};
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kAverage);
}

TEST(ChooseWeights, LeavesAnAverageThatIsStillTheFirstWeights) {
  Checkpoint checkpoint = two_sets();  // nothing was validated
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kAverage);
  checkpoint.config.ema = {.decay = 0.9995, .warmup = false};
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kRaw);
  checkpoint.training->step = 30'000;
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kAverage);
}

TEST(ChooseWeights, AnAverageThatIsNotThereCannotBeWanted) {
  Checkpoint checkpoint = two_sets();
  checkpoint.ema.clear();
  EXPECT_EQ(choose_weights(checkpoint, "x.pth"), Weights::kRaw);
  EXPECT_THROW(choose_weights(checkpoint, "x.pth", Weights::kAverage), Error);
}

TEST(KeepOneSet, LeavesTheWeightsAlone) {
  Checkpoint checkpoint = two_sets();
  checkpoint.better = Weights::kAverage;
  EXPECT_EQ(keep_one_set(checkpoint, "x.pth"), Weights::kAverage);
  EXPECT_EQ(checkpoint.weights["linear.weight"].min().item<float>(), 2);
  EXPECT_TRUE(checkpoint.ema.is_empty());
  EXPECT_FALSE(checkpoint.better || checkpoint.training);
}

TEST(CheckpointFile, SaysWhichEntryIsTheBetter) {
  const TestFolder folder;
  Checkpoint checkpoint = two_sets();
  for (const auto& [better, entry] :
       {std::pair{Weights::kRaw, "state_dict"}, std::pair{Weights::kAverage, "ema"}}) {
    checkpoint.better = checkpoint.training->best_weights = better;
    checkpoint.training->best_epoch = 7;
    save_checkpoint(folder.path("c.pth"), checkpoint);
    EXPECT_EQ(read_torch_file(folder.path("c.pth")).at("better").as_string(), entry);
    const Checkpoint read = load_checkpoint(folder.path("c.pth"));
    EXPECT_EQ(read.better, better);
    EXPECT_EQ(read.training->best_weights, better);
    EXPECT_EQ(read.training->best_epoch, 7);
  }
}

/// Averages had no warm-up before version 3: a run goes on with the decay that it began with.
TEST(CheckpointFile, OfVersionTwoHadNoWarmUp) {
  const TestFolder folder;
  save_checkpoint(folder.path("3.pth"), two_sets());
  EXPECT_TRUE(load_checkpoint(folder.path("3.pth")).config.ema.warmup);
  const Value file = read_torch_file(folder.path("3.pth"));
  Value::Dict older;
  for (const auto& item : file.as_dict()) {
    older.insert(item.key(), item.key() == "version" ? Value(2) : item.value());
  }
  write_torch_file(folder.path("2.pth"), older);
  EXPECT_FALSE(load_checkpoint(folder.path("2.pth")).config.ema.warmup);
}

}  // namespace
}  // namespace mobileone
