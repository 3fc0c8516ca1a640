#include "mobileone/train/learner.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>

namespace mobileone {
namespace {

Config tiny(Engine engine) {
  Config config;
  config.model.width_multipliers = {0.25, 0.125, 0.125, 0.125};
  config.model.depths = {1, 1, 1, 1};
  config.model.branches = {2};
  config.model.num_classes = 4;
  config.runtime.device = DeviceChoice::kCpu;
  config.runtime.threads = 1;
  config.runtime.engine = engine;
  config.ema.decay = 0.9;
  return config;
}

StepRates rates(double lr, double weight_decay = 0) {
  return {.lr = lr, .weight_decay = weight_decay, .ema_decay = 0.9};
}

Batch random_batch(int64_t size) {
  Batch batch;
  batch.images = torch::randn({size, 3, 32, 32});
  batch.labels = torch::arange(size) % 4;
  return batch;
}

class LearnerStep : public testing::TestWithParam<Engine> {};

TEST_P(LearnerStep, ThatIsNotFiniteChangesNothing) {
  Learner learner(tiny(GetParam()));
  EXPECT_TRUE(learner.step(random_batch(8), rates(0.1, 1e-4)).finite);
  const auto parameters = learner.state().parameters.clone(),
             buffers = learner.state().buffers.clone(),
             momentum = learner.optimizer().tensors().front().clone();
  const StateDict average = learner.ema()->named_state();
  const auto average_before = average["stage0.rbr_conv.0.conv.weight"].clone();

  Batch poisoned = random_batch(8);
  poisoned.images[3][1][4][4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(learner.step(poisoned, rates(0.1, 1e-4)).finite);
  EXPECT_TRUE(torch::equal(parameters, learner.state().parameters));
  EXPECT_TRUE(torch::equal(buffers, learner.state().buffers));
  EXPECT_TRUE(torch::equal(momentum, learner.optimizer().tensors().front()));
  EXPECT_TRUE(torch::equal(average_before, average["stage0.rbr_conv.0.conv.weight"]));
  EXPECT_EQ(learner.state().gradients.abs().max().item<float>(), 0);
  EXPECT_TRUE(learner.step(random_batch(8), rates(0.1, 1e-4)).finite);
}

TEST_P(LearnerStep, LearnsABatchByHeart) {
  Learner learner(tiny(GetParam()));
  const Batch batch = random_batch(8);
  const double first = learner.step(batch, rates(0.05)).loss;
  double last = first;
  for (int i = 0; i < 30; ++i) last = learner.step(batch, rates(0.05)).loss;
  EXPECT_LT(last, 0.6 * first);
}

TEST_P(LearnerStep, LeavesFrozenPartsAsTheyWere) {
  Config config = tiny(GetParam());
  config.model.freeze = {Part::kStem, Part::kStage2, Part::kClassifier};
  Learner learner(config);
  const auto states = [&] {
    return std::vector{state_dict(*learner.network()), learner.ema()->named_state()};
  };
  std::vector<StateDict> before = states();
  for (auto& state : before) {
    for (auto& item : state) item.value() = item.value().clone();
  }
  for (int step = 0; step < 3; ++step) {
    EXPECT_TRUE(learner.step(random_batch(8), rates(0.05, 1e-2)).finite);
  }
  const std::vector<StateDict> after = states();
  for (size_t i = 0; i < 2; ++i) {
    for (const auto& item : after[i]) {
      const Part part = part_of(item.key());
      const bool frozen = part != Part::kStage1 && part != Part::kStage3 && part != Part::kStage4;
      const bool counts = i == 0 || !item.key().ends_with("num_batches_tracked");
      if (frozen || counts) {
        EXPECT_EQ(torch::equal(item.value(), before[i][item.key()]), frozen) << item.key();
      }
    }
  }
}

TEST_P(LearnerStep, WeighsTheLabelsOfAMixture) {
  Config config = tiny(GetParam());
  config.schedule.accumulate = 2;
  Learner learner(config);
  Batch batch = random_batch(8);
  batch.labels = torch::tensor({0, 0, 1, 2, 3, 3, 3, 1});
  const double own = learner.step(batch, rates(0)).loss;
  Batch reversed = batch;
  reversed.labels = batch.labels.flip(0);
  const double other = learner.step(reversed, rates(0)).loss;
  batch.mixture_weight = 0.3;
  batch.other_labels = batch.labels.flip(0);
  EXPECT_NE(own, other);
  EXPECT_NEAR(learner.step(batch, rates(0)).loss, 0.3 * own + 0.7 * other, 1e-5);
}

TEST_P(LearnerStep, WeighsClasses) {
  Config config = tiny(GetParam());
  Learner equal(config), weighted(config, Processes::none(), {1, 1, 1, 4});
  Batch batch = random_batch(8);
  EXPECT_EQ(equal.weight_of(batch), 8);
  EXPECT_EQ(weighted.weight_of(batch), 14);
  // Each of the others' parts of the loss by itself, the fourth class's four times.
  const double plain = equal.step(batch, rates(0)).loss;
  EXPECT_NE(weighted.step(batch, rates(0)).loss, plain);
  Learner same(config, Processes::none(), {3, 3, 3, 3});
  EXPECT_NEAR(same.step(batch, rates(0)).loss, plain, 1e-6);
}

TEST_P(LearnerStep, IsUnsoundWhereANetworkComputesNoNumbers) {
  Learner learner(tiny(GetParam()));
  EXPECT_TRUE(learner.is_sound(32));
  const auto poison = [&](torch::Tensor values, float with) {
    torch::NoGradGuard no_grad;
    const float kept = values[0].item<float>();
    values[0] = with;
    const bool sound = learner.is_sound(32);
    values[0] = kept;
    return !sound;
  };
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(poison(learner.state().parameters, bad));
    EXPECT_TRUE(poison(learner.state().buffers, bad));
    EXPECT_TRUE(poison(learner.ema()->parameters(), bad));
    EXPECT_TRUE(poison(learner.optimizer().tensors().front(), bad));
  }
  EXPECT_TRUE(learner.is_sound(32));
  torch::NoGradGuard no_grad;
  learner.state().parameters.mul_(1e30);  // numbers, but not their products
  EXPECT_FALSE(learner.is_sound(32));
}

INSTANTIATE_TEST_SUITE_P(Engines, LearnerStep, testing::Values(Engine::kFolded, Engine::kBranches),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace mobileone
