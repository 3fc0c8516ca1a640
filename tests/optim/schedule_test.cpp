#include "mobileone/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mobileone {
namespace {

TEST(LearningRate, FallsAlongACosineFromPeakToEnd) {
  Config config;
  config.optimizer.lr = 0.4;
  config.schedule.lr_end = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 1000), 0.4);
  EXPECT_NEAR(learning_rate(config, 500, 1000), 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1000, 1000), 0.1);
  for (int64_t step = 1; step <= 1000; ++step) {
    EXPECT_LT(learning_rate(config, step, 1000), learning_rate(config, step - 1, 1000));
  }
}

TEST(LearningRate, WarmsUpLinearly) {
  Config config;
  config.schedule.epochs = 100;
  config.schedule.warmup_epochs = 5;  // 50 of 1000 steps
  for (int64_t step = 0; step < 60; ++step) {
    const double ramp = std::min(1.0, (step + 1) / 50.0);
    EXPECT_DOUBLE_EQ(learning_rate(config, step, 1000), ramp * cosine(0.1, 0, step, 1000));
  }
}

TEST(LearningRate, FallsAsAPower) {
  Config config;
  config.schedule.curve = LrCurve::kPolynomial;
  config.schedule.power = 0.9;
  config.schedule.lr_end = 0.01;
  for (const int64_t step : {0, 1, 250, 999, 1000}) {
    EXPECT_DOUBLE_EQ(learning_rate(config, step, 1000),
                     0.01 + (0.1 - 0.01) * std::pow(1 - step / 1000.0, 0.9));
  }
}

TEST(LearningRate, PerEpochChangesAtEpochsStarts) {
  Config config;
  config.schedule.per_epoch = true;
  for (const int64_t total : {700, 691}) {  // steps of an epoch need not be whole
    config.schedule.epochs = total == 700 ? 100 : 691;
    const int64_t each = total / config.schedule.epochs;
    for (int64_t step = 0; step < total; ++step) {
      EXPECT_DOUBLE_EQ(learning_rate(config, step, total),
                       cosine(0.1, 0, step / each, config.schedule.epochs))
          << step;
    }
  }
}

/// CVNets' warm-up of 500 iterations from 9e-5 to 9e-4.
TEST(LearningRate, WarmsUpFromARateOfItsOwn) {
  Config config;
  config.optimizer.lr = 9e-4;
  config.schedule.epochs = 50;
  config.schedule.warmup_epochs = 5;
  config.schedule.warmup_lr = 9e-5;
  config.schedule.per_epoch = true;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 5000), 9e-5);
  EXPECT_NEAR(learning_rate(config, 50, 5000), 9e-5 + 0.1 * (9e-4 - 9e-5), 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate(config, 500, 5000), cosine(9e-4, 0, 5, 50));
  config.schedule.warmup_epochs = 0;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 5000), 9e-4);
}

TEST(WeightDecay, AnnealsAsThePaperSays) {
  Config config;
  EXPECT_DOUBLE_EQ(weight_decay(config, 0, 77), 1e-4);
  EXPECT_DOUBLE_EQ(weight_decay(config, 77, 77), 1e-5);
}

/// timm's ModelEmaV3(decay=0.9995, use_warmup=True).get_decay(step + 1), step from 0.
TEST(EmaDecay, WarmsUpAsTimms) {
  Config config;
  EXPECT_EQ(ema_decay(config, 0), 0);
  EXPECT_NEAR(ema_decay(config, 1), 0.37003947505256, 1e-12);
  EXPECT_NEAR(ema_decay(config, 99), 0.95358411166387, 1e-12);
  EXPECT_NEAR(ema_decay(config, 999), 0.99, 1e-12);
  EXPECT_LT(ema_decay(config, 89441), 0.9995);
  EXPECT_EQ(ema_decay(config, 89443), 0.9995);
  config.ema.warmup = false;
  EXPECT_EQ(ema_decay(config, 0), 0.9995);
}

TEST(EmaDecay, TellsWhatIsLeftOfTheFirstWeights) {
  Config config;
  EXPECT_EQ(share_of_first_weights(config, 0), 1);
  EXPECT_EQ(share_of_first_weights(config, 1), 0);
  config.ema.warmup = false;
  EXPECT_NEAR(share_of_first_weights(config, 300), 0.8607, 1e-4);
}

TEST(Curriculum, ChangesAtTheEpochsThatItNames) {
  Config config;
  config.curriculum.stages = {{0, 160, 0.3}, {39, 192, 0.6}, {114, 224, 1.0}};
  EXPECT_EQ(curriculum_stage(config, 0).size, 160);
  EXPECT_EQ(curriculum_stage(config, 38).strength, 0.3);
  EXPECT_EQ(curriculum_stage(config, 39).size, 192);
  EXPECT_EQ(curriculum_stage(config, 113).strength, 0.6);
  EXPECT_EQ(curriculum_stage(config, 299).size, 224);
}

TEST(Curriculum, IsTheDataSectionsSizeWhereThereIsNone) {
  Config config;
  config.data.size = 64;
  config.augment.strength = 0.5;
  EXPECT_EQ(curriculum_stage(config, 7), (CurriculumStage{0, 64, 0.5}));
}

}  // namespace
}  // namespace mobileone
