#include "mobileone/optim/optimizer.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <memory>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// A convolution, a norm and a linear layer, to be trained by ours and by LibTorch's optimizer.
torch::nn::Sequential small_module() {
  torch::manual_seed(3);
  torch::nn::Sequential module(torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 4, 3).bias(false)),
                               torch::nn::BatchNorm2d(4), torch::nn::Flatten(),
                               torch::nn::Linear(4 * 4 * 4, 3));
  module->to(torch::kFloat64);
  return module;
}

torch::Tensor objective(torch::nn::Sequential& module, int step) {
  torch::manual_seed(100 + step);
  return module->forward(torch::randn({5, 2, 6, 6}, torch::kFloat64)).square().mean();
}

class SgdAgainstTorch : public testing::TestWithParam<std::tuple<double, bool, bool>> {};

TEST_P(SgdAgainstTorch, TakesTheSameSteps) {
  const auto [momentum, nesterov, decay_norm_and_bias] = GetParam();
  auto ours = small_module(), theirs = small_module();
  FlatState state(*ours);
  OptimizerConfig config;
  config.momentum = momentum;
  config.nesterov = nesterov;
  config.decay_norm_and_bias = decay_norm_and_bias;
  Sgd sgd(config, state);
  std::vector<torch::Tensor> weights, others;
  for (const auto& p : theirs->parameters()) (p.dim() > 1 ? weights : others).push_back(p);
  const auto options = [&, m = momentum, n = nesterov](double decay) {
    return std::make_unique<torch::optim::SGDOptions>(
        torch::optim::SGDOptions(0.1).momentum(m).nesterov(n).weight_decay(decay));
  };
  torch::optim::SGD reference(
      {{weights, options(0.01)}, {others, options(decay_norm_and_bias ? 0.01 : 0)}},
      torch::optim::SGDOptions(0.1));
  for (int step = 0; step < 5; ++step) {
    objective(ours, step).backward();
    sgd.step(0.1, 0.01);
    reference.zero_grad();
    objective(theirs, step).backward();
    reference.step();
    for (size_t i = 0; i < ours->parameters().size(); ++i) {
      EXPECT_TRUE(torch::allclose(ours->parameters()[i], theirs->parameters()[i], 1e-12, 1e-14));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, SgdAgainstTorch,
                         testing::Values(std::tuple{0.9, false, true}, std::tuple{0.9, true, true},
                                         std::tuple{0.9, false, false},
                                         std::tuple{0.0, false, true}));

/// The small module under names of a network's parts.
torch::nn::Sequential small_network() {
  torch::manual_seed(3);
  torch::nn::Sequential module({
      {"stage0",
       torch::nn::AnyModule(torch::nn::Conv2d(torch::nn::Conv2dOptions(2, 4, 3).bias(false)))},
      {"stage2", torch::nn::AnyModule(torch::nn::BatchNorm2d(4))},
      {"flatten", torch::nn::AnyModule(torch::nn::Flatten())},
      {"linear", torch::nn::AnyModule(torch::nn::Linear(4 * 4 * 4, 3))},
  });
  module->to(torch::kFloat64);
  return module;
}

TEST(Sgd, EachPartHasItsOwnRate) {
  auto ours = small_network(), theirs = small_network();
  FlatState state(*ours);
  OptimizerConfig config;
  config.lr_factors.stem = 0.1;
  config.lr_factors.stage1 = 7;  // is not in the module
  config.lr_factors.stage2 = 0.5;
  config.lr_factors.classifier = 3;
  Sgd sgd(config, state);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const auto& [name, factor] :
       std::map<std::string, double>{{"stage0", 0.1}, {"stage2", 0.5}, {"linear", 3}}) {
    groups.emplace_back(
        theirs->named_children()[name]->parameters(),
        std::make_unique<torch::optim::SGDOptions>(
            torch::optim::SGDOptions(0.02 * factor).momentum(0.9).weight_decay(0.01)));
  }
  torch::optim::SGD reference(groups, torch::optim::SGDOptions(0.02));
  for (int step = 0; step < 5; ++step) {
    objective(ours, step).backward();
    sgd.step(0.02, 0.01);
    reference.zero_grad();
    objective(theirs, step).backward();
    reference.step();
  }
  for (const auto& item : theirs->named_parameters()) {
    EXPECT_TRUE(torch::allclose(ours->named_parameters()[item.key()], item.value(), 1e-12, 1e-14))
        << item.key();
  }
}

TEST(FlatState, LeavesFrozenParametersToTheModule) {
  auto module = small_network();
  auto frozen = module->named_parameters()["stage0.weight"];
  frozen.set_requires_grad(false);
  const auto before = frozen.clone();
  FlatState state(*module);
  Ema ema(state);
  EXPECT_EQ(state.parameters.numel(), 4 + 4 + 3 * 64 + 3);
  EXPECT_FALSE(state.named_parameters(state.parameters).contains("stage0.weight"));
  {
    torch::NoGradGuard no_grad;
    state.parameters.zero_();
  }
  ema.update(0.9);
  EXPECT_TRUE(torch::equal(frozen, before));
  EXPECT_EQ(ema.named_state().keys(), state_dict(*module).keys());
  EXPECT_TRUE(torch::equal(ema.named_state()["stage0.weight"], before));
}

TEST(Sgd, ClipsTheWholeGradientsNorm) {
  auto module = small_module();
  FlatState state(*module);
  OptimizerConfig config;
  config.momentum = 0;
  config.clip_norm = 0.5;
  Sgd sgd(config, state);
  const auto before = state.parameters.clone();
  objective(module, 0).mul(1000).backward();
  sgd.step(1, 0);
  EXPECT_NEAR((state.parameters - before).norm().item<double>(), 0.5, 1e-5);
  EXPECT_EQ(state.gradients.abs().sum().item<double>(), 0);
}

TEST(Ema, AveragesAndSwapsBack) {
  auto module = small_module();
  FlatState state(*module);
  Ema ema(state);
  const auto start = state.parameters.clone();
  {
    torch::NoGradGuard no_grad;
    state.parameters.add_(1);
  }
  ema.update(0.9);
  const auto own = state.parameters.clone();
  ema.swap();
  EXPECT_TRUE(torch::allclose(state.parameters, start + 0.1));
  ema.swap();
  EXPECT_TRUE(torch::equal(state.parameters, own));
}

TEST(FlatState, IsTheModulesOwnMemory) {
  auto module = small_module();
  const auto before = module->parameters().front().clone();
  FlatState state(*module);
  EXPECT_TRUE(torch::equal(module->parameters().front(), before));
  {
    torch::NoGradGuard no_grad;
    state.parameters.zero_();
    state.buffers.fill_(7);
  }
  for (const auto& p : module->parameters()) EXPECT_EQ(p.abs().sum().item<double>(), 0);
  EXPECT_EQ(module->named_buffers()["1.running_mean"].sum().item<double>(), 28);
  EXPECT_EQ(state.weight_count, 4 * 2 * 9 + 3 * 64);
}

TEST(FlatState, NamedStateHasTheModulesNamesAndOrder) {
  auto module = small_module();
  FlatState state(*module);
  const auto named = state.named_state(state.parameters, state.buffers);
  const auto own = state_dict(*module);
  ASSERT_EQ(named.keys(), own.keys());
  for (const auto& item : own)
    EXPECT_TRUE(torch::equal(named[item.key()], item.value())) << item.key();
}

TEST(Optimizer, StateOfAnotherNetworkIsRefused) {
  auto module = small_module();
  FlatState state(*module);
  for (const auto kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    OptimizerConfig config;
    config.name = kind;
    const auto optimizer = make_optimizer(config, state);
    EXPECT_THROW(optimizer->load({}, "last.pth"), Error);
  }
}

TEST(Optimizer, GoesOnFromItsState) {
  for (const auto kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    OptimizerConfig config;
    config.name = kind;
    const auto train = [&](bool stop) {
      auto module = small_module();
      FlatState state(*module);
      auto optimizer = make_optimizer(config, state);
      for (int step = 0; step < 4; ++step) {
        if (stop && step == 2) {
          auto saved = optimizer->state();
          for (auto& [name, tensors] : saved) {
            for (auto& item : tensors) item.value() = item.value().clone();
          }
          optimizer = make_optimizer(config, state);
          optimizer->load(saved, "last.pth");
        }
        objective(module, step).backward();
        optimizer->step(0.1, 0.01);
      }
      return state.parameters;
    };
    EXPECT_TRUE(torch::equal(train(false), train(true))) << to_string(kind);
  }
}

class AdamWAgainstTorch : public testing::TestWithParam<bool> {};

TEST_P(AdamWAgainstTorch, TakesTheSameStepsAtTheRatesOfParts) {
  const bool decay_norm_and_bias = GetParam();
  auto ours = small_network(), theirs = small_network();
  FlatState state(*ours);
  OptimizerConfig config;
  config.name = OptimizerKind::kAdamW;
  config.betas = {0.8, 0.95};
  config.eps = 1e-6;
  config.decay_norm_and_bias = decay_norm_and_bias;
  config.lr_factors.classifier = 10;
  const auto optimizer = make_optimizer(config, state);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const auto& item : theirs->named_parameters()) {
    const bool decays = decay_norm_and_bias || item.value().dim() > 1;
    groups.emplace_back(
        std::vector<torch::Tensor>{item.value()},
        std::make_unique<torch::optim::AdamWOptions>(
            torch::optim::AdamWOptions(item.key().starts_with("linear") ? 0.1 : 0.01)
                .betas({0.8, 0.95})
                .eps(1e-6)
                .weight_decay(decays ? 0.05 : 0)));
  }
  torch::optim::AdamW reference(groups, torch::optim::AdamWOptions(0.01));
  for (int step = 0; step < 6; ++step) {
    objective(ours, step).backward();
    optimizer->step(0.01, 0.05);
    reference.zero_grad();
    objective(theirs, step).backward();
    reference.step();
  }
  for (const auto& item : theirs->named_parameters()) {
    EXPECT_TRUE(torch::allclose(ours->named_parameters()[item.key()], item.value(), 1e-12, 1e-13))
        << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(Decay, AdamWAgainstTorch, testing::Bool());

}  // namespace
}  // namespace mobileone
