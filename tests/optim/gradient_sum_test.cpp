#include "mobileone/optim/gradient_sum.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "dist/as_processes.h"
#include "mobileone/model/mobileone.h"

namespace mobileone {
namespace {

using torch::Tensor;

MobileOne make() {
  NetworkOptions options;
  options.num_classes = 5;
  options.stem_channels = 8;
  options.stages = {{.channels = 16, .blocks = 1, .branches = 2},
                    {.channels = 24, .blocks = 1, .se_blocks = 1}};
  torch::manual_seed(1);
  return MobileOne(options);
}

Tensor images(int64_t rank) {
  const auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(rank));
  return torch::randn({4, 3, 16, 16}, generator);
}

GradientSum::StartSum summing(const Processes& processes) {
  return [&](const Tensor& part) { return processes.start_sum(part); };
}

void accumulate(MobileOne& network, const Tensor& x) {
  network->forward(x).square().sum().backward();
}

/// The sum of what processes would have by themselves, in buckets of any size and with any engine.
TEST(GradientSum, AddsUpTheGradientsOfAllProcesses) {
  for (const Engine engine : {Engine::kFolded, Engine::kBranches}) {
    Tensor expected;
    for (int64_t rank = 0; rank < 2; ++rank) {
      MobileOne network = make();
      network->engine = engine;
      const FlatState state(*network);
      accumulate(network, images(rank));
      accumulate(network, images(rank + 10));
      expected = rank == 0 ? state.gradients.clone() : expected + state.gradients;
    }
    for (const int64_t bucket_bytes : {1, 2000, 1 << 20}) {
      std::vector<MobileOne> networks{make(), make()};
      as_processes(2, [&](const Processes& processes) {
        MobileOne network = networks[static_cast<size_t>(processes.rank())];
        network->engine = engine;
        const FlatState state(*network);
        GradientSum sum(*network, state, summing(processes), bucket_bytes);
        accumulate(network, images(processes.rank()));  // an earlier part of the batch
        sum.begin();
        accumulate(network, images(processes.rank() + 10));
        sum.finish();
        EXPECT_TRUE(torch::allclose(state.gradients, expected, 1e-4, 1e-5)) << bucket_bytes;
        const auto sizes = sum.bucket_sizes();
        EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}), state.gradients.numel());
        EXPECT_EQ(sizes.size() > 10, bucket_bytes == 1);
      });
    }
  }
}

TEST(GradientSum, LeavesFrozenPartsAlone) {
  std::vector<MobileOne> networks{make(), make()};
  as_processes(2, [&](const Processes& processes) {
    MobileOne network = networks[static_cast<size_t>(processes.rank())];
    network->freeze({Part::kStem});
    network->train();
    const FlatState state(*network);
    GradientSum sum(*network, state, summing(processes));
    sum.begin();
    accumulate(network, images(processes.rank()));
    sum.finish();
    const Tensor own = state.gradients.clone();
    processes.broadcast(own);
    EXPECT_TRUE(torch::equal(own, state.gradients)) << "the same everywhere";
  });
}

TEST(GradientSum, BeginsFromTheNetworksEndWhileBackwardGoesOn) {
  MobileOne network = make();
  const FlatState state(*network);
  std::vector<int64_t> began;
  bool finishing = false;
  int64_t early = 0;
  GradientSum sum(
      *network, state,
      [&](const Tensor& part) {
        began.push_back(part.storage_offset());
        early += finishing ? 0 : 1;
        return [] {};
      },
      1);
  sum.begin();
  accumulate(network, images(0));
  finishing = true;
  sum.finish();
  EXPECT_EQ(began.size(), state.parameter_slots().size());
  EXPECT_EQ(early, std::ssize(began)) << "all of them during the backward pass";
  const auto weights_end = std::find_if(
      began.begin(), began.end(), [&](int64_t offset) { return offset >= state.weight_count; });
  EXPECT_TRUE(std::is_sorted(began.begin(), weights_end, std::greater<>()));
  EXPECT_TRUE(std::is_sorted(weights_end, began.end(), std::greater<>()));
}

}  // namespace
}  // namespace mobileone
