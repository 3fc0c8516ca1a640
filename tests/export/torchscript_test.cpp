#include "mobileone/export/torchscript.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/utils.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "by_network.h"
#include "mobileone/model/state_dict.h"
#include "support/error_of.h"
#include "support/python.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class TorchScript : public testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    const auto [variant, frozen] = GetParam();
    checkpoint.config.model.variant = static_cast<Variant>(variant);
    checkpoint.config.model.num_classes = 10;
    checkpoint.config.data.eval_crop = 64;
    checkpoint.config.data.eval_resize = 64;
    checkpoint.config.data.interpolation = Interpolation::kBicubic;
    for (int i = 0; i < 10; ++i) checkpoint.class_names.push_back("class " + std::to_string(i));
    folded = fold(MobileOne(network_options(checkpoint.config.model)));
  }

  Checkpoint checkpoint;
  MobileOne folded{nullptr};
  const TestFolder folder;
  const fs::path path = folder.path("network.pt");
};

TEST_P(TorchScript, GivesTheNetworksLogitsAtAnyBatchAndSize) {
  export_torchscript(folded, checkpoint, "test.pth", path, {.frozen = std::get<1>(GetParam())});
  auto loaded = load_torchscript(path);
  EXPECT_EQ(loaded.description.class_names, checkpoint.class_names);
  EXPECT_EQ(loaded.config.data.eval_crop, 64);
  EXPECT_EQ(loaded.module.attr("interpolation").toStringRef(), "bicubic");
  torch::NoGradGuard no_grad;
  for (const auto& [batch, size] : {std::pair{1, 64}, {3, 97}, {2, 32}}) {
    const auto x = seeded_input(folded, batch, size);
    EXPECT_LT(
        largest_difference(folded->forward(x), loaded.module.forward({x}).toTensor()).relative,
        1e-5);
  }
}

TEST_P(TorchScript, PortablyGivesTheSame) {
  export_torchscript(folded, checkpoint, "test.pth", path,
                     {.frozen = std::get<1>(GetParam()), .portable = true});
  auto loaded = load_torchscript(path);
  torch::NoGradGuard no_grad;
  const auto x = seeded_input(folded, 3, 97);
  EXPECT_LT(largest_difference(folded->forward(x), loaded.module.forward({x}).toTensor()).relative,
            1e-5);
}

/// oneDNN's operators of several steps at once have no gradients.
TEST_P(TorchScript, HasTheNetworksGradients) {
  export_torchscript(folded, checkpoint, "test.pth", path, {.frozen = std::get<1>(GetParam())});
  auto loaded = load_torchscript(path);
  const auto x = seeded_input(folded, 2, 64);
  const auto gradient = [&](const auto& forward) {
    const auto input = x.detach().clone().requires_grad_();
    forward(input).square().sum().backward();
    return input.grad();
  };
  EXPECT_LT(largest_difference(gradient([&](const auto& input) { return folded->forward(input); }),
                               gradient([&](const auto& input) {
                                 return loaded.module.forward({input}).toTensor();
                               }))
                .relative,
            1e-4);
}

TEST(TorchScriptCode, NeedsOneDnnUnlessPortable) {
  auto options = network_options(Variant::kS0);
  options.folded = true;
  const MobileOne network(options);
  for (const auto form :
       {TorchScriptForm::kPortable, TorchScriptForm::kFused, TorchScriptForm::kPacked}) {
    const auto unit = to_torchscript(network, form).attr("stage0").toModule();
    EXPECT_EQ(unit.get_method("forward").graph()->toString().find("mkldnn") == std::string::npos,
              form == TorchScriptForm::kPortable);
  }
}

/// A small folded network, saved in a form and loaded as anybody loads TorchScript.
torch::jit::Module saved_and_loaded(const torch::jit::Module& module) {
  std::stringstream file;
  module.save(file);
  return torch::jit::load(file);
}

class PackedTorchScript : public testing::Test {
 protected:
  PackedTorchScript() {
    torch::manual_seed(3);
    auto options = network_options(Variant::kS4);  // with squeeze-and-excitation
    options.folded = true;
    network = MobileOne(options);
    network->eval();
    packed = saved_and_loaded(to_torchscript(network, TorchScriptForm::kPacked));
  }

  void expect_equal(torch::jit::Module& module, const MobileOne& expected, int64_t size) {
    torch::NoGradGuard no_grad;
    const auto x = seeded_input(network, 2, size);
    MobileOne reference = expected;
    const auto logits = module.forward({x}).toTensor();
    EXPECT_LT(largest_difference(reference->forward(x), logits).relative, 1e-5);
  }

  static torch::Tensor depthwise_weight(const torch::jit::Module& module) {
    const auto unit = module.attr("stage1").toModule().attr("0").toModule();
    return unit.attr("packed").toModule().attr("weight").toTensor();
  }

  MobileOne network{nullptr};
  torch::jit::Module packed;
};

TEST_F(PackedTorchScript, HoldsWeightsOnceInItsFile) {
  std::stringstream plain, with_packed;
  to_torchscript(network, TorchScriptForm::kPortable).save(plain);
  to_torchscript(network, TorchScriptForm::kPacked).save(with_packed);
  EXPECT_LT(with_packed.str().size(), 1.05 * plain.str().size());
  EXPECT_TRUE(depthwise_weight(packed).is_mkldnn()) << "is laid out when it is loaded";
}

/// A layout that fits only the threads, or the images, of a file's loading would make its weights
/// be laid out again in each call, many times slower.
TEST_F(PackedTorchScript, HasALayoutThatDependsOnNoThreads) {
  const auto layout = [](const torch::Tensor& weight) {
    static const auto op = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("mkldnn::_get_mkldnn_serialized_md", "")
                               .typed<torch::Tensor(const torch::Tensor&)>();
    return op.call(weight);
  };
  const int before = at::get_num_threads();
  std::vector<torch::Tensor> layouts;
  for (const int threads : {1, 2, 7}) {
    at::set_num_threads(threads);
    const auto module = saved_and_loaded(to_torchscript(network, TorchScriptForm::kPacked));
    layouts.push_back(layout(depthwise_weight(module)));
  }
  at::set_num_threads(before);
  for (const auto& other : layouts) EXPECT_TRUE(torch::equal(other, layouts[0]));
  const auto pointwise = packed.attr("stage1").toModule().attr("1").toModule();
  EXPECT_FALSE(pointwise.hasattr("packed"));
}

TEST_F(PackedTorchScript, ComputesAtAnySizeAndAfterBeingSavedAgain) {
  expect_equal(packed, network, 64);
  expect_equal(packed, network, 97);
  auto again = saved_and_loaded(packed);
  expect_equal(again, network, 64);
}

/// Weights that were changed after they were packed count, not the packed ones.
TEST_F(PackedTorchScript, FollowsChangedWeights) {
  torch::NoGradGuard no_grad;
  for (auto parameter : packed.parameters()) parameter.mul_(1.1);
  for (auto& parameter : network->parameters()) parameter.mul_(1.1);
  expect_equal(packed, network, 64);
}

TEST_F(PackedTorchScript, RunsWhereItWasLoadedForInference) {
  c10::InferenceMode inference;
  auto module = saved_and_loaded(to_torchscript(network, TorchScriptForm::kPacked));
  expect_equal(module, network, 64);
}

/// The packed weights are float32 on the CPU; other types compute by the plain ones.
TEST_F(PackedTorchScript, ComputesInOtherTypes) {
  packed.to(torch::kFloat64);
  const auto x = seeded_input(network, 2, 64);
  torch::NoGradGuard no_grad;
  const auto logits = packed.forward({x.to(torch::kFloat64)}).toTensor();
  EXPECT_LT(largest_difference(network->forward(x), logits.to(torch::kFloat32)).relative, 1e-5);
}

/// A weight that asks for its gradient gets it, as in fine-tuning a loaded file.
TEST(TorchScriptCode, TrainsWhereWeightsAskForGradients) {
  auto options = network_options(Variant::kS0);
  options.folded = true;
  const MobileOne network(options);
  auto module = to_torchscript(network, TorchScriptForm::kPacked);
  for (auto parameter : module.parameters()) parameter.requires_grad_();
  module.forward({torch::ones({1, 3, 32, 32})}).toTensor().square().sum().backward();
  for (const auto& parameter : module.named_parameters()) {
    EXPECT_TRUE(parameter.value.grad().defined()) << parameter.name;
  }
}

TEST_P(TorchScript, HasApplesFoldedKeysUnlessFrozen) {
  const bool frozen = std::get<1>(GetParam());
  export_torchscript(folded, checkpoint, "test.pth", path, {.frozen = frozen});
  std::vector<std::string> names;
  for (const auto& parameter : load_torchscript(path).module.named_parameters())
    names.push_back(parameter.name);
  EXPECT_EQ(names, frozen ? std::vector<std::string>{} : state_dict(*folded).keys());
}

TEST_P(TorchScript, PythonGivesTheSameLogits) {
  if (!python_has("torch"))
    GTEST_SKIP() << "needs Python with torch in .deps/venv (scripts/setup.sh)";
  export_torchscript(folded, checkpoint, "test.pth", path, {.frozen = std::get<1>(GetParam())});
  torch::NoGradGuard no_grad;
  const auto x = seeded_input(folded, 2, 64);
  const fs::path raw = path.string() + ".raw";
  std::ofstream stream(raw, std::ios::binary);
  for (const auto& t : {x, folded->forward(x)}) {
    stream.write(static_cast<const char*>(t.contiguous().data_ptr()), t.numel() * sizeof(float));
  }
  stream.close();
  const std::string script = fmt::format(
      "import numpy, torch; d = torch.from_numpy(numpy.fromfile('{}', 'float32')); "
      "m = torch.jit.load('{}'); y = m(d[:-20].view(2, 3, 64, 64)); "
      "assert m.class_names[9] == 'class 9'; assert m.crop == 64; "
      "assert torch.allclose(y, d[-20:].view(2, 10), rtol=1e-5, atol=1e-5)",
      raw.string(), path.string());
  EXPECT_EQ(std::system((kPython + " -c \"" + script + "\"").c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(Variants, TorchScript,
                         testing::Combine(testing::Values(0, 4), testing::Bool()));

TEST(TorchScriptFiles, OthersAreRefusedByName) {
  const TestFolder folder;
  const std::string path = folder.write("network.pt", "no archive");
  const std::string message = error_of([&] { load_torchscript(path); });
  EXPECT_TRUE(message.starts_with(path + ": is cut off or damaged")) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace mobileone
