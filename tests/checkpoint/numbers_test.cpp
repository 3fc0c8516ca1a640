#include "mobileone/checkpoint/numbers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <utility>

namespace mobileone {
namespace {

StateDict sound(torch::ScalarType dtype = torch::kFloat32) {
  StateDict state;
  state.insert("conv.weight", torch::ones({2, 2}, dtype));
  state.insert("bn.running_mean", torch::zeros({2}, dtype));
  state.insert("bn.running_var", torch::full({2}, 1e-30, torch::kFloat64).to(dtype));
  state.insert("bn.num_batches_tracked", torch::zeros({}, torch::kLong));
  return state;
}

TEST(UnsoundNumbers, AreNoneInSoundWeights) {
  for (const auto dtype : {torch::kFloat32, torch::kFloat64, torch::kBFloat16, torch::kHalf}) {
    EXPECT_EQ(unsound_numbers(sound(dtype)), std::nullopt) << dtype;  // in float16 1e-30 is zero
  }
}

TEST(UnsoundNumbers, AChannelMayBeConstant) {
  StateDict state = sound();
  state["bn.running_var"][1] = 0;
  EXPECT_EQ(unsound_numbers(state), std::nullopt);
}

TEST(UnsoundNumbers, AreNamed) {
  for (const double number : {NAN, INFINITY, -INFINITY}) {
    StateDict state = sound();
    state["conv.weight"][1][0] = number;
    EXPECT_EQ(unsound_numbers(state), "conv.weight: 1 of 4 numbers are NaN or infinite");
  }
  for (const auto& [number, what] : {std::pair{0.0, "zero"}, {-1.0, "negative"}}) {
    StateDict state = sound();
    state["bn.running_var"].fill_(number);
    EXPECT_EQ(unsound_numbers(state), fmt::format("bn.running_var: 2 of 2 numbers are {}", what));
    state["bn.running_mean"][0] = NAN;
    state["conv.weight"][1][0] = NAN;
    EXPECT_EQ(unsound_numbers(state),
              "conv.weight: 1 of 4 numbers are NaN or infinite (2 more tensors likewise)");
  }
  StateDict half = sound(torch::kHalf);
  half["bn.running_var"][0] = -1;
  EXPECT_EQ(unsound_numbers(half), "bn.running_var: 1 of 2 numbers are negative");
}

}  // namespace
}  // namespace mobileone
