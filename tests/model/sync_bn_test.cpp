#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <string>
#include <vector>

#include "dist/as_processes.h"
#include "mobileone/model/folded_engine.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {
namespace {

using torch::Tensor;

/// What a training step makes of a network: by name, gradients ("grad.…"), running statistics, the
/// logits and the images' gradient.
using Results = std::map<std::string, Tensor>;

NetworkOptions small(std::vector<StageOptions> stages) {
  NetworkOptions options;
  options.num_classes = 7;
  options.stem_channels = 8;
  options.stages = std::move(stages);
  return options;
}

/// Depthwise and pointwise units by moments and by the direct way, with and without skip and SE.
std::vector<NetworkOptions> synced_networks() {
  return {small({{.channels = 8, .blocks = 1, .branches = 4},
                 {.channels = 16, .blocks = 2, .branches = 4}}),
          small({{.channels = 8, .blocks = 1}, {.channels = 16, .blocks = 3, .se_blocks = 1}}),
          small({{.channels = 24, .blocks = 2, .branches = 2, .se_blocks = 2}})};
}

MobileOne make(const NetworkOptions& options) {
  torch::manual_seed(3);
  MobileOne network(options);
  torch::NoGradGuard no_grad;
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() == 1) parameter.normal_(0.5, 0.5);
  }
  network->to(torch::kFloat64);
  network->train();
  return network;
}

/// Of a loss that is a sum over images, with weights of their own.
Results step(MobileOne network, const Tensor& images, const Tensor& weights) {
  const Tensor x = images.clone().set_requires_grad(true);
  const Tensor logits = network->forward(x);
  (logits * weights).sum().backward();
  Results results{{"logits", logits.detach()}, {"images", x.grad()}};
  for (const auto& item : network->named_parameters()) {
    results["grad." + item.key()] = item.value().grad();
  }
  for (const auto& item : network->named_buffers()) results[item.key()] = item.value();
  return results;
}

double difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(torch::kFloat64), y = b.to(torch::kFloat64);
  return ((x - y).abs().max() / x.abs().max().clamp_min(1e-12)).item<double>();
}

class SyncBn : public testing::TestWithParam<std::vector<int64_t>> {};

/// Processes with any part of a batch train as one process does that has all of it.
TEST_P(SyncBn, IsAsIfOneProcessHadAllImages) {
  const std::vector<int64_t>& parts = GetParam();
  int64_t count = 0;
  for (const int64_t part : parts) count += part;
  for (const auto& options : synced_networks()) {
    MobileOne alone = make(options);
    torch::manual_seed(4);
    const Tensor images = torch::randn({count, 3, 20, 20}, torch::kFloat64) + 1,
                 weights = torch::randn({count, 7}, torch::kFloat64);
    const Results expected = step(alone, images, weights);

    const auto of_images = images.split_with_sizes(parts),
               of_weights = weights.split_with_sizes(parts);
    std::vector<MobileOne> replicas;
    for (size_t i = 0; i < parts.size(); ++i) replicas.push_back(make(options));
    std::vector<Results> results(parts.size());
    as_processes(std::ssize(parts), [&](const Processes& processes) {
      const auto rank = static_cast<size_t>(processes.rank());
      replicas[rank]->norm_processes = &processes;
      results[rank] = step(replicas[rank], of_images[rank], of_weights[rank]);
    });

    for (const auto& [name, value] : expected) {
      Tensor got = results[0].at(name);
      const bool of_own = name == "logits" || name == "images";
      if (of_own || name.starts_with("grad.")) {
        std::vector<Tensor> of_processes;
        for (const auto& result : results) of_processes.push_back(result.at(name));
        got = of_own ? torch::cat(of_processes) : torch::stack(of_processes).sum(0);
      } else {
        for (const auto& result : results) EXPECT_TRUE(torch::equal(result.at(name), got)) << name;
      }
      EXPECT_LT(difference(value, got), 1e-9) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shares, SyncBn,
                         testing::Values(std::vector<int64_t>{8, 8}, std::vector<int64_t>{3, 7},
                                         std::vector<int64_t>{1, 2, 5}));

/// A process may have a single value a channel, as long as all together have more.
TEST(SyncBn, OneValueAChannelIsEnoughWhereOthersHaveMore) {
  UnitOptions options;
  options.name = "unit";
  options.in_channels = options.out_channels = 4;
  const Tensor images = torch::randn({2, 4, 1, 1}, torch::kFloat64);
  as_processes(2, [&](const Processes& processes) {
    Unit unit(options);
    unit->to(torch::kFloat64);
    const auto y = train_folded({unit}, images.narrow(0, processes.rank(), 1), {0}, &processes);
    EXPECT_TRUE(y[0].isfinite().all().item<bool>());
  });
}

}  // namespace
}  // namespace mobileone
