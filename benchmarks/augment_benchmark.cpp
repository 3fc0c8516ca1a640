// The augmentations one by one, on one thread, on an image of 224 x 224 pixels.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <string>

#include "mobileone/data/mix.h"
#include "mobileone/data/operations.h"
#include "mobileone/data/transforms.h"

namespace {
using namespace mobileone;

constexpr int64_t kSize = 224;

/// Waves with noise: no level is missing, and neighbours differ.
at::Tensor picture() {
  Random random(1);
  at::Tensor image = at::empty({kSize, kSize, 3}, at::kByte);
  uint8_t* levels = image.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < image.numel(); ++i) {
    levels[i] = static_cast<uint8_t>((i / 97 + random.integer(40)) % 256);
  }
  return image;
}

/// A magnitude within the published policies.
double magnitude_of(Operation operation) {
  switch (operation) {
    case Operation::kShearX:
    case Operation::kShearY:
    case Operation::kHue:
      return 0.2;
    case Operation::kTranslateX:
    case Operation::kTranslateY:
    case Operation::kRotate:
      return 20;
    case Operation::kPosterize:
      return 5;
    case Operation::kSolarizeAdd:
      return 50;
    case Operation::kSolarize:
      return 128;
    default:
      return 0.4;
  }
}

void report_pixels(benchmark::State& state, int64_t images = 1) {
  const int64_t pixels = state.iterations() * images * kSize * kSize;
  state.counters["ns_per_pixel"] =
      benchmark::Counter(static_cast<double>(pixels) * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void time_operation(benchmark::State& state, Operation operation) {
  const at::Tensor image = picture();
  const double magnitude = magnitude_of(operation);
  for (auto _ : state) benchmark::DoNotOptimize(apply_operation(image, operation, magnitude));
  report_pixels(state);
}

void time_policy(benchmark::State& state, Policy policy) {
  const at::Tensor image = picture();
  AugmentConfig augment;
  augment.policy = policy;
  Random random(2);
  for (auto _ : state) benchmark::DoNotOptimize(augment_image(augment, 1.0, image, random));
  report_pixels(state);
}

void time_mixup(benchmark::State& state) {
  constexpr int64_t kImages = 16;
  at::Tensor images =
      at::rand({kImages, 3, kSize, kSize}).contiguous(at::MemoryFormat::ChannelsLast);
  for (auto _ : state) mix_images({.weight = 0.7}, images);
  report_pixels(state, kImages);
}

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [operation, name] : enum_names(Operation{})) {
    const Operation timed = operation;
    benchmark::RegisterBenchmark(std::string(name).c_str(), [timed](benchmark::State& state) {
      time_operation(state, timed);
    })->Unit(benchmark::kMicrosecond);
  }
  for (const auto& [policy, name] : enum_names(Policy{})) {
    if (policy == Policy::kNone) continue;
    const Policy timed = policy;
    benchmark::RegisterBenchmark(std::string(name).c_str(), [timed](benchmark::State& state) {
      time_policy(state, timed);
    })->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("mixup of 16 images", time_mixup)->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
