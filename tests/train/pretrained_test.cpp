#include "mobileone/train/pretrained.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/foreign.h"
#include "mobileone/data/shapes.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class Pretrained : public testing::Test {
 protected:
  Pretrained() {
    fs::create_directories(folder);
    config.model.width_multipliers = {0.25, 0.125, 0.125, 0.125};
    config.model.depths = {1, 1, 1, 1};
    config.model.branches = {2};
    config.model.num_classes = 10;
    config.model.pretrained = (folder / "weights.pth").string();
    config.data.size = 32;
    config.schedule.batch_size = 10;
    config.runtime.device = DeviceChoice::kCpu;
    config.ema.decay = 0.9;
    images.class_names = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    file.config = config;
    file.config.model.pretrained = "";
    file.class_names = images.class_names;
    file.weights = random_state(1, /*folded=*/false);
  }
  ~Pretrained() override { fs::remove_all(folder); }

  StateDict random_state(uint64_t seed, bool folded) const {
    torch::manual_seed(seed);
    NetworkOptions options = network_options(file.config.model);
    options.folded = folded;
    StateDict state;
    for (const auto& item : state_dict(*MobileOne(options))) {
      state.insert(item.key(), item.value().clone());
    }
    return state;
  }

  /// A learner that starts from `file`.
  std::unique_ptr<Learner> learner() {
    save_checkpoint(config.model.pretrained, file);
    auto learner = std::make_unique<Learner>(config);
    load_pretrained(config, images, *learner);
    return learner;
  }

  /// Of network and moving average.
  static void expect_weights(Learner& learner, const StateDict& expected,
                             const std::string& but = "nothing") {
    for (const auto& state : {state_dict(*learner.network()), learner.ema()->named_state()}) {
      for (const auto& item : state) {
        EXPECT_EQ(torch::equal(item.value(), expected[item.key()]), !item.key().starts_with(but))
            << item.key();
      }
    }
  }

  std::string error() {
    try {
      learner();
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  const fs::path folder =
      fs::temp_directory_path() / fmt::format("mobileone_pretrained_{}", ::getpid());
  Config config;
  ImageList images;
  Checkpoint file;
};

TEST_F(Pretrained, WeightsAreTheNetworksAndTheAverages) {
  expect_weights(*learner(), file.weights);
}

TEST_F(Pretrained, TheFilesAverageIsPreferred) {
  file.ema = random_state(2, /*folded=*/false);
  expect_weights(*learner(), file.ema);
}

TEST_F(Pretrained, AClassifierOfAnotherNumberOfClassesIsMadeAnew) {
  config.model.num_classes = 4;
  images.class_names.clear();
  const auto fresh = std::make_unique<Learner>(config);
  StateDict expected = file.weights;
  for (const char* name : {"linear.weight", "linear.bias"}) {
    expected[name] = state_dict(*fresh->network())[name].clone();
  }
  expect_weights(*learner(), expected);
}

TEST_F(Pretrained, AClassifierOfOtherNamesIsMadeAnew) {
  images.class_names.back() = "k";
  expect_weights(*learner(), file.weights, "linear.weight");
}

TEST_F(Pretrained, ABackboneGetsAClassifier) {
  const auto fresh = std::make_unique<Learner>(config);
  StateDict expected = file.weights;
  for (const char* name : {"linear.weight", "linear.bias"}) {
    file.weights.erase(name);
    expected.erase(name);
  }
  for (const char* name : {"linear.weight", "linear.bias"}) {
    expected.insert(name, state_dict(*fresh->network())[name].clone());
  }
  write_torch_weights(config.model.pretrained, file, Dialect::kTimm);
  Learner learner(config);
  load_pretrained(config, images, learner);
  expect_weights(learner, expected);
}

TEST_F(Pretrained, NothingStartsFromUnsoundWeights) {
  file.weights["linear.bias"][3] = NAN;
  EXPECT_EQ(error(), "model.pretrained: " + config.model.pretrained +
                         ": nothing can start from its weights: linear.bias: 1 of 10 numbers are "
                         "NaN or infinite");
}

TEST_F(Pretrained, AFoldedFileGetsBranches) {
  draw_shapes((folder / "shapes").string(), {.train_per_class = 3, .val_per_class = 1, .size = 32});
  images = read_image_list((folder / "shapes/train").string());
  file.class_names = images.class_names;
  file.weights = random_state(3, /*folded=*/true);
  config.model.branches = {3};  // a folded file does not say how many there were
  config.model.freeze = {Part::kStem};
  const auto tuned = learner();
  MobileOne folded = make_network(load_checkpoint(config.model.pretrained), "file");
  tuned->network()->eval();
  torch::NoGradGuard no_grad;
  const auto x = torch::randn({3, 3, 32, 32}), expected = folded->forward(x);
  const auto same = [&] {
    return torch::allclose(tuned->network()->forward(x), expected, 1e-4, 1e-5);
  };
  EXPECT_TRUE(same());
  tuned->ema()->swap();
  EXPECT_TRUE(same());
}

TEST_F(Pretrained, NetworksOfAnotherFormAreRefusedByTheKey) {
  const std::string path = config.model.pretrained;
  file.config.model.depths = {1, 1, 3, 1};
  EXPECT_EQ(error(), "model.depths: " + path +
                         " has [1, 1, 3, 1] blocks, the configuration [1, 1, 1, 1] blocks; set it "
                         "as the file has it");
  file.config.model = {};
  config.model = {};
  config.model.variant = Variant::kS2;
  config.model.pretrained = path;
  EXPECT_EQ(error(), "model.variant: " + path +
                         " holds s0, the configuration says s2; set model.variant=s0");
}

TEST_F(Pretrained, AStemOfRgbIsSummedToTakeGrey) {
  draw_shapes((folder / "shapes").string(), {.train_per_class = 3, .val_per_class = 1, .size = 32});
  images = read_image_list((folder / "shapes/train").string());
  file.class_names = images.class_names;
  config.model.in_channels = 1;
  config.data.mean = {0.4};
  config.data.std = {0.2};
  torch::NoGradGuard no_grad;
  const auto grey = torch::randn({2, 1, 32, 32});
  for (const bool folded : {false, true}) {
    file.weights = random_state(5, folded);
    MobileOne rgb = make_network(file, "file");
    rgb->eval();
    const auto tuned = learner();
    tuned->network()->eval();
    EXPECT_TRUE(torch::allclose(tuned->network()->forward(grey),
                                rgb->forward(grey.expand({-1, 3, -1, -1})), 1e-4, 1e-5));
  }
}

TEST_F(Pretrained, StridesMayDiffer) {
  config.model.stem_stride = 1;
  config.model.output_stride = 16;
  expect_weights(*learner(), file.weights);
}

}  // namespace
}  // namespace mobileone
