#include "mobileone/reparam/backend.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "devices.h"

namespace mobileone {
namespace {

using torch::Tensor;

Tensor randn(at::IntArrayRef sizes, torch::Device device) {
  return torch::randn(sizes, torch::kFloat64).to(device);
}

Tensor image(at::IntArrayRef sizes, torch::Device device) {
  return (randn(sizes, device) + 0.3).contiguous(torch::MemoryFormat::ChannelsLast);
}

void expect_equal(const char* what, const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  EXPECT_TRUE(torch::allclose(actual, expected, 1e-9, 1e-10)) << what << " on " << actual.device();
}

/// The kernels of each device against LibTorch's operations on it, in double.
class Convolution : public testing::TestWithParam<std::tuple<ConvShape, torch::Device>> {};

TEST_P(Convolution, OfTheKernelsEqualThePortableOnes) {
  const auto& [shape, device] = GetParam();
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{9, 8}, {1, 5}, {2, 2}, {12, 6}}) {
    torch::manual_seed(5);
    const auto x = image({3, shape.in_channels, height, width}, device);
    const Backend &backend = backend_of(x), &torchs = portable_backend();
    const Convolutions &own = backend.convolutions(shape), &portable = torchs.convolutions(shape);

    const auto moments = own.moments(x, shape), expected = portable.moments(x, shape);
    expect_equal("mean", moments.mean, expected.mean);
    expect_equal("covariance", moments.covariance, expected.covariance);

    const FoldedConv conv{randn({shape.out_channels, shape.patch_size()}, device),
                          randn({shape.out_channels}, device)};
    const auto y = own.forward(x, conv, /*relu=*/true, shape);
    expect_equal("output", y, portable.forward(x, conv, true, shape));

    const auto g = image(y.sizes(), device), same_g = g.clone();
    const auto d = own.weight_gradient(x, y, g, shape);
    const auto expected_d = portable.weight_gradient(x, y, same_g, shape);
    expect_equal("masked gradient", g, same_g);
    expect_equal("weight gradient", d.weight, expected_d.weight);
    expect_equal("bias gradient", d.bias, expected_d.bias);

    const auto c = torch::randn_like(moments.covariance);
    const PatchMoments d_moments{torch::randn_like(moments.mean), c + c.transpose(1, 2)};
    expect_equal("input gradient",
                 backend.input_gradient(x, g, conv.weight, moments, d_moments, shape),
                 torchs.input_gradient(x, g, conv.weight, moments, d_moments, shape));
    expect_equal("input gradient without moments", own.input_gradient(x, g, conv.weight, {}, shape),
                 portable.input_gradient(x, g, conv.weight, {}, shape));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Convolution,
    testing::Combine(testing::Values(ConvShape{10, 10, 3, 1, 1, 10}, ConvShape{10, 10, 3, 2, 1, 10},
                                     ConvShape{10, 10, 3, 1, 2, 10}, ConvShape{10, 10, 3, 2, 2, 10},
                                     ConvShape{10, 10, 5, 1, 1, 10}, ConvShape{5, 7, 1, 1, 1, 1},
                                     ConvShape{3, 7, 3, 2, 1, 1}, ConvShape{3, 7, 3, 1, 2, 1},
                                     ConvShape{4, 4, 1, 2, 1, 1}, ConvShape{20, 24, 3, 1, 1, 1},
                                     ConvShape{20, 24, 3, 2, 1, 1}, ConvShape{20, 24, 3, 1, 6, 1},
                                     ConvShape{17, 5, 5, 2, 2, 1}, ConvShape{20, 24, 1, 2, 1, 1}),
                     testing::ValuesIn(devices())));

class Backends : public testing::TestWithParam<torch::Device> {};
INSTANTIATE_TEST_SUITE_P(Devices, Backends, testing::ValuesIn(devices()));

TEST_P(Backends, FoldAlike) {
  for (const int64_t groups : {1, 6}) {
    for (const bool skip : {false, true}) {
      torch::manual_seed(6);
      const auto random = [&](at::IntArrayRef sizes) { return randn(sizes, GetParam()); };
      const int64_t norms = skip ? 4 : 3;
      BranchStack branches{
          random({3, 6, 9}).unbind(), random({norms, 6}), random({norms, 6}), {}, 1e-5};
      if (skip) branches.skip = torch::arange(6, branches.gamma.options().dtype(torch::kInt64));
      const auto patches = random({groups, 9, 12});
      const PatchMoments moments{random({groups, 9}), patches.bmm(patches.transpose(1, 2))};
      const Backend &own = backend_of(patches), &portable = portable_backend();
      const auto fold = own.fold.forward(branches, moments),
                 expected = portable.fold.forward(branches, moments);
      expect_equal("weight", fold.conv.weight, expected.conv.weight);
      expect_equal("bias", fold.conv.bias, expected.conv.bias);
      expect_equal("mean", fold.statistics.mean, expected.statistics.mean);
      expect_equal("variance", fold.statistics.var, expected.statistics.var);
      expect_equal("C w", fold.weight_covariance, expected.weight_covariance);
      const auto d_weight = random({6, 9}), d_bias = random({6});
      const auto d = own.fold.backward(branches, moments, fold, d_weight, d_bias),
                 expected_d = portable.fold.backward(branches, moments, expected, d_weight, d_bias);
      expect_equal("weight gradient", torch::stack(d.weights), torch::stack(expected_d.weights));
      expect_equal("gamma gradient", d.gamma, expected_d.gamma);
      expect_equal("beta gradient", d.beta, expected_d.beta);
      expect_equal("mean gradient", d.moments.mean, expected_d.moments.mean);
      expect_equal("covariance gradient", d.moments.covariance, expected_d.moments.covariance);
    }
  }
}

TEST_P(Backends, TrainDirectUnitsAlike) {
  for (const ConvShape& shape : {ConvShape{18, 18, 1, 1, 1, 1}, ConvShape{18, 18, 3, 1, 2, 1},
                                 ConvShape{18, 18, 3, 1, 3, 18}, ConvShape{18, 18, 3, 2, 1, 1},
                                 ConvShape{18, 18, 3, 2, 1, 18}}) {
    for (const auto& [skip, relu] :
         std::vector<std::pair<bool, bool>>{{false, false}, {false, true}, {true, true}}) {
      if (skip && shape.stride > 1) continue;
      torch::manual_seed(7);
      const int64_t norms = skip ? 2 : 1;
      const DirectUnit unit{randn({18, shape.patch_size()}, GetParam()),
                            randn({norms, 18}, GetParam()), randn({norms, 18}, GetParam()), 1e-5};
      const auto x = image({2, 18, 5, 7}, GetParam()),
                 y = image({2, 18, shape.output_size(5), shape.output_size(7)}, GetParam());
      const Backend &own = backend_of(x), &portable = portable_backend();
      const auto statistics = own.norms.statistics(x, y, unit),
                 expected = portable.norms.statistics(x, y, unit);
      expect_equal("mean", statistics.mean, expected.mean);
      expect_equal("variance", statistics.var, expected.var);
      expect_equal("output", own.norms.output(x, y, unit, statistics, relu),
                   portable.norms.output(x, y, unit, statistics, relu));
      const auto g = image(y.sizes(), GetParam());
      const NormBatch batch(x.size(0), x.device());
      const auto d =
          own.norms.gradients(x, y, g.clone(), unit, statistics, batch, relu, true, shape);
      const auto expected_d =
          portable.norms.gradients(x, y, g.clone(), unit, statistics, batch, relu, true, shape);
      expect_equal("weight gradient", d.weight, expected_d.weight);
      expect_equal("gamma gradient", d.gamma, expected_d.gamma);
      expect_equal("beta gradient", d.beta, expected_d.beta);
      expect_equal("input gradient", d.x, expected_d.x);
    }
  }
}

TEST_P(Backends, GateAlike) {
  torch::manual_seed(8);
  const auto z = image({3, 10, 4, 5}, GetParam()), g = image({3, 10, 4, 5}, GetParam()),
             same_g = g.clone();
  const auto gate = torch::rand({3, 10}, torch::kFloat64).to(GetParam()),
             offset = randn({3, 10}, GetParam());
  const Backend &own = backend_of(z), &portable = portable_backend();
  expect_equal("output", own.gates.relu(z, gate), portable.gates.relu(z, gate));
  expect_equal("gate gradient", own.gates.gate_gradient(z, gate, g),
               portable.gates.gate_gradient(z, gate, same_g));
  own.gates.input_gradient(g, gate, offset);
  portable.gates.input_gradient(same_g, gate, offset);
  expect_equal("gradient", g, same_g);
}

}  // namespace
}  // namespace mobileone
