#include "mobileone/model/folded_engine.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "mobileone/model/method.h"
#include "mobileone/model/state_dict.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

using torch::Tensor;

UnitOptions unit(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t branches,
                 bool depthwise, bool se = false, int64_t dilation = 1) {
  UnitOptions o;
  o.name = "stage1.0";
  o.in_channels = in;
  o.out_channels = out;
  o.kernel = kernel;
  o.stride = stride;
  o.dilation = dilation;
  o.groups = depthwise ? in : 1;
  o.branches = branches;
  o.se = se;
  return o;
}

void randomise(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    if (parameter.dim() == 1) parameter.normal_(0.5, 0.5);
  }
}

/// What one forward and backward pass leaves behind.
struct Pass {
  std::vector<Tensor> outputs, gradients, buffers;
};

void expect_close(const Pass& actual, const Pass& expected, double tolerance) {
  const auto compare = [&](const char* what, const auto& a, const auto& e) {
    ASSERT_EQ(a.size(), e.size());
    // Some gradients vanish (a bias before a batch norm has none); against those of their kind,
    // what rounding leaves of them is nothing.
    double norm = 0;
    for (const auto& t : e)
      norm = std::max(norm, t.to(torch::kFloat64).norm().template item<double>());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].sizes(), e[i].sizes());
      const double error =
          (a[i].to(torch::kFloat64) - e[i].to(torch::kFloat64)).norm().template item<double>();
      EXPECT_LE(error, tolerance * std::max(e[i].to(torch::kFloat64).norm().template item<double>(),
                                            1e-3 * norm))
          << what << " " << i;
    }
  };
  compare("output", actual.outputs, expected.outputs);
  compare("gradient", actual.gradients, expected.gradients);
  compare("buffer", actual.buffers, expected.buffers);
}

Pass run_units(std::vector<Unit> units, const Tensor& image, bool folded) {
  const auto x = image.clone().requires_grad_();
  Pass pass;
  for (auto& u : units) u->train(), u->zero_grad();
  if (folded) {
    pass.outputs = train_folded(units, x, {units.size() - 1});
  } else {
    Tensor y = x;
    for (auto& u : units) y = u(y);
    pass.outputs = {y};
  }
  const auto weight =
      torch::cos(torch::arange(pass.outputs[0].numel(), image.options())).view_as(pass.outputs[0]);
  (pass.outputs[0] * weight).sum().backward();
  pass.gradients.push_back(x.grad());
  for (auto& u : units) {
    for (const auto& p : u->parameters()) pass.gradients.push_back(p.grad().clone());
    for (const auto& b : u->buffers()) pass.buffers.push_back(b.clone());
  }
  return pass;
}

/// The same units twice, so that neither pass sees the other's running statistics.
std::vector<Unit> make_units(const std::vector<UnitOptions>& options, torch::ScalarType dtype) {
  torch::manual_seed(3);
  std::vector<Unit> units;
  for (const auto& o : options) {
    units.emplace_back(o);
    randomise(*units.back());
    units.back()->to(dtype);
  }
  return units;
}

struct Case {
  std::vector<UnitOptions> units;
  int64_t batch, height, width;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  for (const auto& u : c.units) {
    out << (u.groups > 1 ? "depthwise " : "dense ") << u.in_channels << "->" << u.out_channels
        << " k" << u.kernel << " s" << u.stride << " d" << u.dilation << " x" << u.branches
        << (u.se ? " SE, " : ", ");
  }
  return out << c.batch << "x" << c.height << "x" << c.width;
}

class FoldedUnits : public testing::TestWithParam<Case> {};

TEST_P(FoldedUnits, EqualBranchesInDouble) {
  const auto& c = GetParam();
  torch::manual_seed(0);
  const auto x =
      torch::randn({c.batch, c.units[0].in_channels, c.height, c.width}, torch::kFloat64) + 0.3;
  const auto expected = run_units(make_units(c.units, torch::kFloat64), x, false);
  const auto actual = run_units(make_units(c.units, torch::kFloat64), x, true);
  expect_close(actual, expected, 1e-9);
}

TEST_P(FoldedUnits, AreAsExactAsBranchesInFloat) {
  const auto& c = GetParam();
  torch::manual_seed(0);
  const auto x =
      torch::randn({c.batch, c.units[0].in_channels, c.height, c.width}, torch::kFloat64) + 0.3;
  const auto exact = run_units(make_units(c.units, torch::kFloat64), x, false);
  const auto actual = run_units(make_units(c.units, torch::kFloat32), x.to(torch::kFloat32), true);
  expect_close(actual, exact, 2e-5);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int64_t size : {1, 2, 3, 4, 5, 6, 7}) {
    all.push_back({{unit(5, 5, 3, 1, 2, true)}, 3, size, 8 - size});
    all.push_back({{unit(17, 17, 3, 2, 2, true)}, 3, size, 8 - size});
  }
  all.push_back({{unit(16, 16, 3, 1, 4, true)}, 2, 12, 9});
  all.push_back({{unit(33, 33, 3, 1, 1, true)}, 2, 30, 31});
  all.push_back({{unit(20, 20, 3, 1, 2, true, false, 2)}, 2, 9, 9});
  all.push_back({{unit(20, 20, 3, 2, 2, true, false, 2)}, 2, 9, 10});
  all.push_back({{unit(6, 6, 5, 1, 2, true)}, 2, 9, 7});
  all.push_back({{unit(6, 6, 5, 2, 2, true)}, 2, 9, 7});
  all.push_back({{unit(6, 6, 7, 1, 1, true)}, 2, 9, 11});
  all.push_back({{unit(6, 6, 3, 1, 2, true, true)}, 2, 6, 5});
  all.push_back({{unit(3, 10, 3, 2, 1, false)}, 2, 9, 12});
  all.push_back({{unit(3, 10, 3, 1, 2, false)}, 2, 6, 6});
  all.push_back({{unit(4, 4, 3, 1, 2, false, false, 2)}, 2, 6, 6});
  all.push_back({{unit(7, 7, 1, 1, 4, false)}, 2, 6, 5});
  all.push_back({{unit(7, 13, 1, 1, 5, false)}, 2, 6, 5});
  all.push_back({{unit(70, 70, 1, 1, 3, false)}, 4, 6, 5});
  all.push_back({{unit(7, 7, 1, 1, 1, false)}, 2, 6, 5});
  all.push_back({{unit(37, 45, 1, 1, 1, false)}, 2, 16, 15});
  all.push_back({{unit(7, 13, 1, 1, 1, false, true)}, 2, 6, 5});
  all.push_back({{unit(48, 48, 1, 1, 1, false, true)}, 2, 6, 5});
  all.push_back({{unit(48, 48, 1, 1, 2, false, true)}, 2, 6, 5});
  all.push_back({{unit(3, 8, 3, 2, 1, false), unit(8, 8, 3, 1, 2, true), unit(8, 8, 1, 1, 2, false),
                  unit(8, 8, 3, 2, 1, true), unit(8, 24, 1, 1, 1, false),
                  unit(24, 24, 3, 1, 1, true, true), unit(24, 24, 1, 1, 1, false, true)},
                 3,
                 16,
                 16});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, FoldedUnits, testing::ValuesIn(cases()));

}  // namespace
}  // namespace mobileone
