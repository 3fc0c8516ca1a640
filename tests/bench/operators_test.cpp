#include "mobileone/bench/operators.h"

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "mobileone/model/counts.h"
#include "mobileone/model/mobileone.h"

namespace mobileone {
namespace {

OperatorCounts of(const std::vector<OperatorCounts>& operators, const std::string& name) {
  for (const auto& counts : operators) {
    if (counts.name == name) return counts;
  }
  return {.name = "none"};
}

class OperatorsOfVariant : public testing::TestWithParam<Variant> {};

OperatorCounts counts_of(NetworkOptions options, int64_t size) {
  MobileOne network(options);
  network->eval();
  return total_counts(count_operators([&](const torch::Tensor& x) { return network->forward(x); },
                                      torch::zeros({1, 3, size, size}), network->buffers()));
}

TEST_P(OperatorsOfVariant, EqualTheReferenceImplementationsFolded) {
  std::ifstream stream(MOBILEONE_SOURCE_DIR "/tests/golden/variants.json");
  const auto expected = nlohmann::json::parse(stream)[std::string(to_string(GetParam()))];
  NetworkOptions options = network_options(GetParam());
  options.folded = true;
  const OperatorCounts total = counts_of(options, 224);
  EXPECT_EQ(total.macs, expected["fused_macs_224"]);
  EXPECT_EQ(total.parameters, expected["fused_params"]);
  EXPECT_EQ(total.activations, total_counts(options, 224).activations);
  EXPECT_TRUE(total.known);
}

TEST_P(OperatorsOfVariant, EqualTheTablesUnfolded) {
  const NetworkOptions options = network_options(GetParam());
  const OperatorCounts total = counts_of(options, 64);
  const LayerCounts expected = total_counts(options, 64);
  EXPECT_EQ(total.macs, expected.macs);
  EXPECT_EQ(total.parameters, expected.parameters);
  EXPECT_EQ(total.activations, expected.activations);
  EXPECT_TRUE(total.known);
}

INSTANTIATE_TEST_SUITE_P(All, OperatorsOfVariant,
                         testing::Values(Variant::kS0, Variant::kS1, Variant::kS2, Variant::kS3,
                                         Variant::kS4),
                         [](const auto& variant) { return std::string(to_string(variant.param)); });

TEST(Operators, CountAConvolutionByItsGroups) {
  const auto weight = torch::randn({8, 2, 3, 3}), bias = torch::randn({8});
  const auto operators = count_operators(
      [&](const torch::Tensor& x) { return torch::conv2d(x, weight, bias, 2, 1, 1, 2).relu(); },
      torch::randn({3, 4, 10, 10}));
  ASSERT_EQ(operators.size(), 2u);
  const OperatorCounts convolution = of(operators, "aten::conv2d");
  EXPECT_EQ(convolution.macs, 3 * 8 * 5 * 5 * 2 * 9);
  EXPECT_EQ(convolution.parameters, 8 * 2 * 9 + 8);
  EXPECT_EQ(convolution.activations, 3 * 8 * 5 * 5);
  EXPECT_EQ(convolution.bytes, 4 * (3 * 4 * 100 + 8 * 18 + 8 + 3 * 8 * 25));
  const OperatorCounts relu = of(operators, "aten::relu");
  EXPECT_EQ(relu.macs, 0);
  EXPECT_EQ(relu.bytes, 4 * 2 * 3 * 8 * 25);
}

TEST(Operators, CountATransposedConvolutionByItsInput) {
  const auto weight = torch::randn({4, 6, 2, 2});
  const auto operators = count_operators(
      [&](const torch::Tensor& x) { return torch::conv_transpose2d(x, weight, {}, 2); },
      torch::randn({1, 4, 5, 5}));
  EXPECT_EQ(total_counts(operators).macs, 4 * 25 * 6 * 4);
  EXPECT_EQ(total_counts(operators).activations, 6 * 10 * 10);
}

TEST(Operators, CountProductsOfMatricesAlike) {
  const auto weight = torch::randn({7, 5});
  for (const auto& forward : std::vector<std::function<torch::Tensor(const torch::Tensor&)>>{
           [&](const torch::Tensor& x) { return torch::linear(x, weight); },
           [&](const torch::Tensor& x) { return torch::matmul(x, weight.t()); },
           [&](const torch::Tensor& x) { return torch::mm(x, weight.t()); },
           [&](const torch::Tensor& x) {
             return torch::einsum("ni,oi->no", {x, weight});
           },
           [&](const torch::Tensor& x) {
             return torch::bmm(x.unsqueeze(0), weight.t().unsqueeze(0)).squeeze(0);
           }}) {
    const OperatorCounts total = total_counts(count_operators(forward, torch::randn({3, 5})));
    EXPECT_EQ(total.macs, 3 * 5 * 7);
    EXPECT_EQ(total.parameters, 5 * 7);
    EXPECT_EQ(total.activations, 3 * 7);
    EXPECT_TRUE(total.known);
  }
}

TEST(Operators, CountBothProductsOfAttention) {
  const auto key = torch::randn({2, 4, 11, 8}), value = torch::randn({2, 4, 11, 6});
  const auto operators = count_operators(
      [&](const torch::Tensor& query) {
        return torch::scaled_dot_product_attention(query, key, value);
      },
      torch::randn({2, 4, 9, 8}));
  EXPECT_EQ(total_counts(operators).macs, 2 * 4 * 9 * 11 * (8 + 6));
}

TEST(Operators, CountAWeightUsedTwiceOnce) {
  const auto weight = torch::randn({5, 5});
  const auto operators = count_operators(
      [&](const torch::Tensor& x) { return torch::linear(torch::linear(x, weight), weight); },
      torch::randn({1, 5}));
  EXPECT_EQ(total_counts(operators).parameters, 25);
  EXPECT_EQ(total_counts(operators).macs, 2 * 25);
}

TEST(Operators, CountTorchScriptAsTheSameCodeInCpp) {
  const auto unit = torch::jit::compile(R"(
    def forward(x: Tensor, w: Tensor):
        y = torch.conv2d(x, w, None, [1, 1], [1, 1])
        z = torch.convolution(x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
        return torch.cat([torch.relu(y), torch.sigmoid(z) * x, y.view(x.size())], 1)
  )");
  const auto w = torch::randn({4, 4, 3, 3});
  const auto x = torch::randn({1, 4, 8, 8});
  const auto scripted = count_operators(
      [&](const torch::Tensor& input) { return unit->run_method("forward", input, w).toTensor(); },
      x);
  const auto expected = count_operators(
      [&](const torch::Tensor& input) {
        const auto y = torch::conv2d(input, w, {}, 1, 1);
        const auto z = torch::convolution(input, w, {}, 1, 1, 1, false, 0, 1);
        return torch::cat({torch::relu(y), torch::sigmoid(z) * input, y.view(input.sizes())}, 1);
      },
      x);
  ASSERT_EQ(scripted.size(), expected.size());
  for (const auto& counts : expected) {
    const OperatorCounts same = of(scripted, counts.name);
    EXPECT_EQ(same.calls, counts.calls) << counts.name;
    EXPECT_EQ(same.macs, counts.macs) << counts.name;
    EXPECT_EQ(same.parameters, counts.parameters) << counts.name;
    EXPECT_EQ(same.activations, counts.activations) << counts.name;
    EXPECT_EQ(same.bytes, counts.bytes) << counts.name;
  }
  EXPECT_EQ(total_counts(scripted).macs, 2 * 64 * 4 * 36);
}

TEST(Operators, LeaveOutViews) {
  const auto operators = count_operators(
      [](const torch::Tensor& x) {
        return x.view({2, 8}).t().unsqueeze(0).contiguous();
      },
      torch::randn({4, 4}));
  ASSERT_EQ(operators.size(), 1u);  // the copy that makes it contiguous
  EXPECT_EQ(operators[0].name, "aten::clone");
}

TEST(Operators, ListWhatTheyDoNotKnow) {
  const auto operators = count_operators(
      [](const torch::Tensor& x) { return torch::linalg_cholesky(x).relu(); }, torch::eye(4));
  EXPECT_FALSE(total_counts(operators).known);
  EXPECT_TRUE(of(operators, "aten::relu").known);
}

}  // namespace
}  // namespace mobileone
