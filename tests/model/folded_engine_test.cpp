#include "mobileone/model/folded_engine.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <map>
#include <string>

#include "devices.h"
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

/// One dilated convolution, as those of heads.
UnitOptions head_unit(int64_t in, int64_t out, int64_t kernel, int64_t dilation,
                      int64_t groups = 1) {
  UnitOptions o = unit(in, out, kernel, 1, 1, groups > 1, /*se=*/false, dilation);
  o.scale = o.skip = false;
  return o;
}

void randomise_vectors(torch::nn::Module& module) {
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

/// On `device`; what it leaves behind is brought to the CPU.
Pass run_units(std::vector<Unit> units, const Tensor& image, bool folded,
               torch::Device device = torch::kCPU) {
  const auto x = image.to(device).clone().requires_grad_();
  Pass pass;
  for (auto& u : units) u->to(device), u->train(), u->zero_grad();
  if (folded) {
    pass.outputs = train_folded(units, x, {units.size() - 1});
  } else {
    Tensor y = x;
    for (auto& u : units) y = u(y);
    pass.outputs = {y};
  }
  const auto weight = torch::cos(torch::arange(pass.outputs[0].numel(), torch::kFloat64))
                          .view_as(pass.outputs[0])
                          .to(device, image.scalar_type());
  (pass.outputs[0] * weight).sum().backward();
  pass.gradients.push_back(x.grad());
  for (auto& u : units) {
    for (const auto& p : u->parameters()) pass.gradients.push_back(p.grad().clone());
    for (const auto& b : u->buffers()) pass.buffers.push_back(b.clone());
  }
  for (auto* group : {&pass.outputs, &pass.gradients, &pass.buffers}) {
    for (auto& tensor : *group) tensor = tensor.cpu();
  }
  return pass;
}

/// The same units twice, so that neither pass sees the other's running statistics.
std::vector<Unit> make_units(const std::vector<UnitOptions>& options, torch::ScalarType dtype) {
  torch::manual_seed(3);
  std::vector<Unit> units;
  for (const auto& o : options) {
    units.emplace_back(o);
    randomise_vectors(*units.back());
    units.back()->to(dtype);
  }
  return units;
}

struct UnitsCase {
  std::vector<UnitOptions> units;
  int64_t batch, height, width;
};

std::ostream& operator<<(std::ostream& out, const UnitsCase& c) {
  for (const auto& u : c.units) {
    out << (u.groups > 1 ? "depthwise " : "dense ") << u.in_channels << "->" << u.out_channels
        << " k" << u.kernel << " s" << u.stride << " d" << u.dilation << " x" << u.branches
        << (u.scale ? "" : " no scale") << (u.skip ? "" : " no skip") << (u.se ? " SE, " : ", ");
  }
  return out << c.batch << "x" << c.height << "x" << c.width;
}

class FoldedUnits : public testing::TestWithParam<UnitsCase> {};

TEST_P(FoldedUnits, EqualBranchesInDouble) {
  const auto& c = GetParam();
  torch::manual_seed(0);
  const auto x =
      torch::randn({c.batch, c.units[0].in_channels, c.height, c.width}, torch::kFloat64) + 0.3;
  const auto expected = run_units(make_units(c.units, torch::kFloat64), x, false);
  for (const auto device : devices()) {
    SCOPED_TRACE(device);
    expect_close(run_units(make_units(c.units, torch::kFloat64), x, true, device), expected, 1e-9);
  }
}

TEST_P(FoldedUnits, AreAsExactAsBranchesInFloat) {
  const auto& c = GetParam();
  torch::manual_seed(0);
  const auto x =
      torch::randn({c.batch, c.units[0].in_channels, c.height, c.width}, torch::kFloat64) + 0.3;
  const auto exact = run_units(make_units(c.units, torch::kFloat64), x, false);
  for (const auto device : devices()) {
    SCOPED_TRACE(device);
    const auto units = make_units(c.units, torch::kFloat32);
    expect_close(run_units(units, x.to(torch::kFloat32), true, device), exact, 2e-5);
  }
}

std::vector<UnitsCase> cases() {
  std::vector<UnitsCase> all;
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
  for (const bool scale : {false, true}) {
    for (const bool skip : {false, true}) {
      std::vector<UnitOptions> units = {unit(16, 16, 3, 1, 3, true), unit(16, 16, 1, 1, 2, false),
                                        unit(16, 16, 3, 1, 1, false)};
      for (auto& o : units) {
        o.scale = scale;
        o.skip = skip;
      }
      all.push_back({units, 2, 9, 8});
    }
  }
  // Units of heads: one convolution, and no branch besides.
  for (auto o : {unit(40, 24, 3, 1, 1, false), unit(40, 40, 3, 1, 1, false, false, 6),
                 unit(40, 24, 3, 2, 1, false, false, 2), unit(40, 40, 3, 1, 1, true, false, 3),
                 unit(40, 40, 3, 1, 1, true, false, 18), unit(40, 40, 3, 2, 1, true),
                 unit(40, 40, 5, 1, 1, false, true)}) {
    o.scale = o.skip = false;
    all.push_back({{o}, 2, 11, 20});
    if (o.stride == 1 && o.in_channels == o.out_channels) {
      o.skip = true;
      all.push_back({{o}, 2, 11, 20});
    }
  }
  all.push_back({{unit(3, 8, 3, 2, 1, false), unit(8, 8, 3, 1, 2, true), unit(8, 8, 1, 1, 2, false),
                  unit(8, 8, 3, 2, 1, true), unit(8, 24, 1, 1, 1, false),
                  unit(24, 24, 3, 1, 1, true, true), unit(24, 24, 1, 1, 1, false, true)},
                 3,
                 16,
                 16});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, FoldedUnits, testing::ValuesIn(cases()));

/// The relative error of all tensors together.
double relative_error(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const auto e = expected[i].to(torch::kFloat64);
    error += (actual[i].to(torch::kFloat64) - e).square().sum().item<double>();
    norm += e.square().sum().item<double>();
  }
  return std::sqrt(error / norm);
}

TEST(FoldedUnit, GradientsInFloatAreAsExactAsThoseOfBranches) {
  double log_ratio = 0, count = 0;
  for (const auto& c : cases()) {
    if (c.batch * c.height * c.width < 100) continue;  // too few sums to speak of a mean
    torch::manual_seed(0);
    const auto x =
        torch::randn({c.batch, c.units[0].in_channels, c.height, c.width}, torch::kFloat64) + 0.3;
    const auto exact = run_units(make_units(c.units, torch::kFloat64), x, false).gradients;
    const auto error = [&](bool folded) {
      const auto units = make_units(c.units, torch::kFloat32);
      return relative_error(run_units(units, x.to(torch::kFloat32), folded).gradients, exact);
    };
    log_ratio += std::log(error(true) / error(false));
    ++count;
  }
  EXPECT_LE(std::exp(log_ratio / count), 1.5);
}

TEST(FoldedUnit, StaysExactWhereMeansAreAHundredDeviations) {
  for (const auto& options :
       {unit(20, 20, 3, 1, 3, true), unit(20, 24, 1, 1, 3, false), unit(20, 20, 1, 1, 1, false)}) {
    torch::manual_seed(1);
    auto x = torch::randn({4, 20, 9, 8}, torch::kFloat64) + 100;
    x.select(1, 3).fill_(7);  // a constant channel
    x.select(1, 4).zero_();
    const auto exact = run_units(make_units({options}, torch::kFloat64), x, false);
    const auto x32 = x.to(torch::kFloat32);
    const auto run = [&](bool folding, torch::Device device) {
      return run_units(make_units({options}, torch::kFloat32), x32, folding, device);
    };
    const auto error = [&](const Pass& pass) {
      double sum = 0;
      for (size_t i = 0; i < exact.gradients.size(); ++i) {
        const auto difference = pass.gradients[i].to(torch::kFloat64) - exact.gradients[i];
        sum += difference.square().sum().item<double>();
      }
      return std::sqrt(sum);
    };
    for (const auto device : devices()) {
      EXPECT_LE(error(run(true, device)), 1.5 * error(run(false, device)) + 1e-12)
          << options.kernel << " " << device;
    }
  }
}

TEST(FoldedUnit, GradcheckAgainstFiniteDifferences) {
  // Twice differentiable almost everywhere; inputs keep away from the ReLU's corner by chance.
  for (const auto& options :
       {unit(3, 3, 3, 1, 2, true), unit(3, 3, 3, 2, 1, true), unit(2, 3, 3, 2, 1, false),
        unit(3, 3, 1, 1, 2, false), unit(3, 4, 1, 1, 1, false), unit(3, 3, 1, 1, 1, false, true),
        head_unit(20, 3, 3, 2), head_unit(3, 3, 3, 2, 3)}) {
    auto units = make_units({options}, torch::kFloat64);
    torch::manual_seed(4);
    const auto x = torch::randn({2, options.in_channels, 4, 3}, torch::kFloat64).requires_grad_();
    const auto value = [&] {
      const auto y = train_folded(units, x, {0})[0];
      return (y * torch::sin(torch::arange(y.numel(), y.options()).view_as(y))).sum();
    };
    value().backward();
    std::vector<Tensor> inputs{x};
    for (const auto& p : units[0]->parameters()) inputs.push_back(p);
    torch::NoGradGuard no_grad;
    for (auto& input : inputs) {
      auto flat = input.data().view({-1});
      const auto gradient = input.grad().reshape({-1});
      for (int64_t i = 0; i < flat.numel(); i += std::max<int64_t>(1, flat.numel() / 7)) {
        constexpr double kStep = 1e-6;
        const double kept = flat[i].item<double>();
        flat[i] = kept + kStep;
        const double above = value().item<double>();
        flat[i] = kept - kStep;
        const double below = value().item<double>();
        flat[i] = kept;
        EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * kStep), 2e-5);
      }
    }
  }
}

TEST(FoldedUnit, BfloatActivationsRoundOnce) {
  for (const auto& options :
       {unit(3, 16, 3, 2, 1, false), unit(20, 20, 3, 1, 2, true), unit(20, 20, 3, 2, 1, true),
        unit(20, 24, 1, 1, 3, false), unit(20, 20, 1, 1, 1, false)}) {
    torch::manual_seed(0);
    const auto x = torch::randn({4, options.in_channels, 14, 14}).to(torch::kBFloat16);
    const auto expected =
        run_units(make_units({options}, torch::kFloat32), x.to(torch::kFloat32), true);
    for (const auto device : devices()) {
      SCOPED_TRACE(device);
      const auto low = run_units(make_units({options}, torch::kFloat32), x, true, device);
      EXPECT_EQ(low.outputs[0].scalar_type(), torch::kBFloat16);
      expect_close(low, expected, 0.06);
    }
  }
}

TEST(FoldedUnit, TheSameThreadsGiveTheSameBits) {
  const std::vector<UnitOptions> options{unit(16, 16, 3, 1, 2, true), unit(16, 24, 1, 1, 2, false)};
  torch::manual_seed(0);
  const auto x = torch::randn({8, 16, 20, 20});
  const auto run = [&] { return run_units(make_units(options, torch::kFloat32), x, true); };
  const auto first = run(), second = run();
  for (size_t i = 0; i < first.gradients.size(); ++i) {
    EXPECT_TRUE(torch::equal(first.gradients[i], second.gradients[i])) << i;
  }
  // Another number of threads cuts the pixels elsewhere: sums are in float32 over up to 192 of
  // them, in double beyond, so that a few units in the last place of a float32 may change.
  const int threads = at::get_num_threads();
  at::set_num_threads(threads + 1);
  const auto other = run();
  at::set_num_threads(threads);
  expect_close(other, first, 1e-5);
}

TEST(FoldedUnit, ANonFiniteInputNeverBecomesAFiniteOutput) {
  for (const auto& options :
       {unit(8, 8, 3, 1, 2, true), unit(8, 8, 1, 1, 2, false), unit(8, 8, 1, 1, 1, false)}) {
    for (const double bad : {std::nan(""), HUGE_VAL}) {
      for (const auto device : devices()) {
        auto units = make_units({options}, torch::kFloat32);
        units[0]->to(device);
        auto x = torch::randn({2, 8, 5, 5}, device);
        x.index_put_({1, 2, 3, 3}, bad);
        const auto y = train_folded(units, x, {0})[0];
        EXPECT_FALSE(torch::isfinite(y.detach().sum()).item<bool>()) << device;
      }
    }
  }
}

TEST(FoldedUnit, RefusesWhatItCannotTrain) {
  const auto message = [](const UnitOptions& options, const Tensor& x) -> std::string {
    try {
      train_folded({Unit(options)}, x, {0});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  auto grouped = unit(8, 8, 3, 1, 1, false);
  grouped.groups = 2;
  EXPECT_EQ(message(grouped, torch::randn({2, 8, 4, 4})),
            "stage1.0: the folded engine trains depthwise and dense convolutions with odd kernels "
            "up to 7, not 2 groups of 8 channels and a kernel of 3; set runtime.engine=branches");
  EXPECT_EQ(
      message(unit(8, 8, 3, 2, 1, true), torch::randn({1, 8, 2, 2})),
      "stage1.0: expected more than one value per channel in training, got 1 image(s) with an "
      "output of 1x1; use a larger batch or larger images");
}

TEST(Network, EveryVariantTrainsAsItsBranchesDo) {
  for (const auto& entry : enum_names(Variant{})) {
    const auto run = [&](Engine engine, torch::Device device) {
      torch::manual_seed(2);
      MobileOne network(network_options(entry.value, 5));
      network->to(device, torch::kFloat64);
      network->engine = engine;
      network->train();
      const auto x = torch::randn({8, 3, 64, 64}, torch::kFloat64).to(device);
      Pass pass;
      pass.outputs = {network->forward(x)};
      pass.outputs[0].square().sum().backward();
      for (const auto& p : network->parameters()) pass.gradients.push_back(p.grad());
      pass.buffers = network->buffers();
      return pass;
    };
    for (const auto device : devices()) {
      SCOPED_TRACE(testing::Message() << entry.name << " on " << device);
      expect_close(run(Engine::kFolded, device), run(Engine::kBranches, device), 1e-9);
    }
  }
}

// Gradients of deep networks of random weights differ by the ReLUs that rounding flips, which hides
// the engines' own errors; units have few.
TEST(Network, FloatIsAsExactAsItsBranches) {
  double log_ratio = 0, count = 0;
  for (const auto& entry : enum_names(Variant{})) {
    for (int seed = 0; seed < 2; ++seed) {
      const auto run = [&](Engine engine, torch::ScalarType dtype) {
        torch::NoGradGuard no_grad;
        torch::manual_seed(seed);
        MobileOne network(network_options(entry.value, 5));
        const auto x = torch::randn({8, 3, 64, 64});
        network->to(dtype);
        network->engine = engine;
        network->train();
        auto results = network->buffers();
        results.push_back(network->forward(x.to(dtype)));
        return results;
      };
      const auto exact = run(Engine::kBranches, torch::kFloat64);
      log_ratio += std::log(relative_error(run(Engine::kFolded, torch::kFloat32), exact) /
                            relative_error(run(Engine::kBranches, torch::kFloat32), exact));
      ++count;
    }
  }
  EXPECT_LE(std::exp(log_ratio / count), 1.5);
}

TEST(Network, BranchesEngineMayTakeOverInMidRun) {
  const auto run = [&](Engine second) {
    torch::manual_seed(2);
    MobileOne network(network_options(Variant::kS0, 5));
    network->to(torch::kFloat64);
    network->train();
    for (const Engine engine : {Engine::kFolded, second}) {
      network->engine = engine;
      network->zero_grad();
      network->forward(torch::randn({3, 3, 64, 64}, torch::kFloat64)).square().sum().backward();
      torch::NoGradGuard no_grad;
      for (auto& p : network->parameters()) p.sub_(p.grad(), 1e-3);
    }
    return Pass{{}, network->parameters(), network->buffers()};
  };
  expect_close(run(Engine::kBranches), run(Engine::kFolded), 1e-8);
}

TEST(Method, IsTheCheaperOne) {
  const int64_t positions = 16 * 14 * 14;
  // One branch: a covariance of 512 channels costs more than the passes of a batch norm.
  EXPECT_EQ(choose_method(unit(512, 512, 1, 1, 1, false), positions), Method::kDirect);
  // Several branches, and whatever is no plain pointwise convolution, have the covariance only.
  EXPECT_EQ(choose_method(unit(256, 256, 1, 1, 4, false), positions), Method::kCovariance);
  EXPECT_EQ(choose_method(unit(512, 512, 3, 1, 1, true), positions), Method::kCovariance);
  // The covariance of nine times 1024 channels would be ten times the work.
  EXPECT_EQ(choose_method(head_unit(1024, 512, 3, 6), positions), Method::kDirect);
  EXPECT_EQ(choose_method(head_unit(1024, 1024, 3, 6, 1024), positions), Method::kDirect);
  // Few channels: the covariance is cheaper than the passes.
  EXPECT_EQ(choose_method(unit(8, 64, 1, 1, 1, false), positions), Method::kCovariance);
  // 3 products of n·Cout·Cin, and half and one of n·Cin², C w and its gradient for k branches.
  EXPECT_DOUBLE_EQ(training_macs(unit(10, 20, 1, 1, 4, false), Method::kCovariance, 1000),
                   3 * 1000.0 * 20 * 10 + 1.5 * 1000 * 100 + 2 * 4 * 20 * 100.0);
}

}  // namespace
}  // namespace mobileone
