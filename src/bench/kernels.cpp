#include "mobileone/bench/kernels.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "mobileone/kernels/depthwise.h"
#include "mobileone/kernels/matrix.h"
#include "mobileone/kernels/peaks.h"
#include "mobileone/kernels/rows.h"
#include "mobileone/model/options.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

using torch::Tensor;

constexpr int64_t kImageSize = 224;
constexpr int64_t kProductImages = 4;
/// Input and output of what passes over memory, together: more than caches hold.
constexpr int64_t kPassBytes = 64 << 20;

/// Numbers of T, of which no kernel makes any that are not finite or slow to compute with.
template <typename T>
Tensor numbers(int64_t count) {
  const auto type = std::is_same_v<T, kernels::bfloat16> ? torch::kBFloat16
                    : std::is_same_v<T, double>          ? torch::kDouble
                                                         : torch::kFloat;
  return torch::full({count}, 0.25, type);
}

template <typename T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

/// Takes each kernel of a unit: its name, operations, bytes, and a run of it.
using Timer = std::function<void(const std::string&, double, double, const std::function<void()>&)>;

template <typename S>
void time_products(int64_t rows, int64_t in, int64_t out, const Timer& time) {
  using T = kernels::Compute<S>;
  using kernels::packed_size;
  const Tensor x = numbers<S>(rows * in), y = numbers<S>(rows * out), dx = numbers<S>(rows * in),
               weight = numbers<T>(packed_size<T>(in, out)),
               transposed = numbers<T>(packed_size<T>(out, in)),
               factors = numbers<T>(packed_size<T>(in, in)), bias = numbers<T>(std::max(in, out)),
               sums = numbers<double>(in * std::max(in, out));
  const double per_product = 2.0 * static_cast<double>(rows * in);
  const kernels::Factors<S> product[] = {{data<S>(x), in, in, data<T>(weight)}},
                            gradient[] = {{data<S>(y), out, out, data<T>(transposed)},
                                          {data<S>(x), in, in, data<T>(factors)}};
  time("products", per_product * static_cast<double>(out), 0, [&] {
    kernels::multiply<S>(rows, out, product, {data<T>(bias), false, true}, data<S>(y), out);
  });
  time("input products", per_product * static_cast<double>(in + out), 0, [&] {
    kernels::multiply<S>(rows, in, gradient, {data<T>(bias), false, false}, data<S>(dx), in);
  });
  const kernels::Columns<S> inputs{data<S>(x), in, in, data<T>(bias)},
      outputs{data<S>(y), out, out};
  time("covariance", per_product * static_cast<double>(in + 1) / 2, 0, [&] {
    kernels::outer_product(rows, inputs, inputs, kernels::Part::kUpper, data<double>(sums), in);
  });
  time("weight products", per_product * static_cast<double>(out), 0, [&] {
    kernels::outer_product(rows, outputs, {data<S>(x), in, in}, kernels::Part::kAll,
                           data<double>(sums), in);
  });
}

template <typename S>
void time_passes(int64_t channels, const Timer& time) {
  using T = kernels::Compute<S>;
  const int64_t rows = kPassBytes / (2 * channels * static_cast<int64_t>(sizeof(S)));
  const Tensor y = numbers<S>(rows * channels), g = numbers<S>(rows * channels),
               row = numbers<T>(channels), sums = numbers<double>(3 * channels);
  const double bytes = static_cast<double>(y.nbytes());
  const T* factors = data<T>(row);
  const kernels::Affine<T> affine{factors, factors};
  const kernels::NormGradient<T> norm{factors, factors, factors, factors};
  time("normalise", 0, 3 * bytes, [&] {
    kernels::normalise<S>(rows, channels, data<S>(y), nullptr, affine, true, data<S>(g));
  });
  time("column moments", 0, bytes, [&] {
    kernels::column_moments<S>(rows, channels, data<S>(y), factors, data<double>(sums));
  });
  time("ReLU backward", 0, 3 * bytes, [&] {
    kernels::relu_backward<S>(rows, channels, data<S>(y), data<S>(g), data<double>(sums));
  });
  time("norm backward, sums", 0, 3 * bytes, [&] {
    kernels::normalise_backward_sums<S>(rows, channels, data<S>(y), nullptr, affine, true, factors,
                                        nullptr, data<S>(g), data<double>(sums));
  });
  time("norm backward", 0, 3 * bytes, [&] {
    kernels::normalise_backward<S>(rows, channels, data<S>(y), nullptr, norm, {}, data<S>(g),
                                   nullptr);
  });
}

template <typename S>
void time_depthwise(kernels::Depthwise shape, const Timer& time) {
  using T = kernels::Compute<S>;
  const int64_t pixels_in = shape.height * shape.width,
                pixels_out = shape.out_height() * shape.out_width(), taps = shape.taps();
  shape.images = std::max<int64_t>(1, kPassBytes / ((pixels_in + pixels_out) * shape.channels *
                                                    static_cast<int64_t>(sizeof(S))));
  const Tensor x = numbers<S>(shape.images * pixels_in * shape.channels),
               y = numbers<S>(shape.images * pixels_out * shape.channels), dx = x.clone(),
               g = y.clone(),
               factors = numbers<T>(std::max(shape.by_offset_size(), taps * taps * shape.channels)),
               sums = numbers<double>(shape.moment_rows() * shape.channels);
  const auto fast = std::make_unique<bool[]>(static_cast<size_t>(shape.blocks()));
  std::fill_n(fast.get(), shape.blocks(), shape.has_fast_path());
  const double bytes_x = static_cast<double>(x.nbytes()), bytes_y = static_cast<double>(y.nbytes());
  const T* f = data<T>(factors);
  const kernels::InputGradient<T> gradient{f, f, f, shape.has_fast_input() ? f : nullptr};
  // Multiply-adds for each output, as in the engine's profile.
  const auto add = [&](const char* kernel, int64_t per_output, double bytes, const auto& run) {
    time(fmt::format("depthwise {}, stride {}", kernel, shape.stride),
         2.0 * static_cast<double>(y.numel() * per_output), bytes, run);
  };
  add("forward", taps, bytes_x + 2 * bytes_y,
      [&] { kernels::convolve<S>(shape, 0, shape.tasks(), data<S>(x), f, f, true, data<S>(y)); });
  add("moments", shape.has_fast_path() ? 13 : 45, bytes_x, [&] {
    kernels::moments<S>(shape, 0, shape.tasks(), data<S>(x), f, fast.get(), data<double>(sums));
  });
  add("weights", taps, bytes_x + 3 * bytes_y, [&] {
    kernels::backward_weight<S>(shape, 0, shape.tasks(), data<S>(x), data<S>(y), data<S>(g),
                                data<double>(sums));
  });
  add("input", taps + (shape.has_fast_path() ? 25 : 73), 3 * bytes_x + bytes_y, [&] {
    kernels::backward_input<S>(shape, 0, shape.tasks(), data<S>(x), data<S>(g), gradient,
                               data<S>(dx));
  });
}

template <typename S>
void time_unit(const UnitOptions& unit, int64_t size, const Timer& time) {
  if (unit.groups > 1) {
    return time_depthwise<S>({0, size, size, unit.in_channels, unit.kernel, unit.stride}, time);
  }
  const int64_t out_size = unit.output_size(size);
  time_products<S>(kProductImages * out_size * out_size,
                   unit.in_channels * unit.kernel * unit.kernel, unit.out_channels, time);
  time_passes<S>(unit.out_channels, time);
}

/// The shortest of the runs given to it, seconds.
struct Shortest {
  double seconds = std::numeric_limits<double>::infinity();

  template <typename F>
  void add(const F& run) {
    const auto start = std::chrono::steady_clock::now();
    run();
    seconds = std::min(seconds, seconds_since(start));
  }
};

/// What decides about the time of a unit's kernels.
std::array<int64_t, 6> shape_of(const UnitOptions& unit, int64_t size) {
  return {unit.in_channels, unit.out_channels, unit.kernel, unit.stride, unit.groups, size};
}

}  // namespace

KernelSpeeds measure_kernels(Variant variant, Precision precision, int64_t rounds) {
  const Tensor from = numbers<float>(kPassBytes / 8), to = from.clone();
  KernelSpeeds speeds;
  std::vector<std::array<int64_t, 6>> shapes;
  std::vector<std::pair<UnitOptions, int64_t>> units;
  int64_t size = kImageSize;
  for (const auto& unit : unit_table(network_options(variant))) {
    shapes.push_back(shape_of(unit, size));
    if (std::count(shapes.begin(), shapes.end(), shapes.back()) == 1)
      units.emplace_back(unit, size);
    size = unit.output_size(size);
  }
  for (const auto& [unit, unit_size] : units) {
    const int64_t count = std::count(shapes.begin(), shapes.end(), shape_of(unit, unit_size));
    const auto time = [&, &name = unit.name](const std::string& kernel, double flops, double bytes,
                                             const std::function<void()>& run) {
      Shortest arithmetic, reading, copying, own;
      double peak_flops = 0;
      for (int64_t round = 0; round < rounds; ++round) {
        arithmetic.add([&] { peak_flops = kernels::multiply_add(100'000); });
        if (bytes > 0) {
          reading.add([&] { kernels::sum(from.numel(), data<float>(from)); });
          copying.add([&] { kernels::copy(from.numel(), data<float>(from), data<float>(to)); });
        }
        own.add(run);
      }
      const double flop_rate = peak_flops / arithmetic.seconds,
                   area = static_cast<double>(from.nbytes()),
                   byte_rate = std::max(area / reading.seconds, 3 * area / copying.seconds);
      speeds.gflops = std::max(speeds.gflops, 1e-9 * flop_rate);
      speeds.gigabytes_per_second = std::max(speeds.gigabytes_per_second, 1e-9 * byte_rate);
      speeds.kernels.push_back({kernel, name, count, flops, bytes, own.seconds,
                                std::max(flops / flop_rate, bytes > 0 ? bytes / byte_rate : 0)});
    };
    if (precision == Precision::kBfloat16) {
      time_unit<kernels::bfloat16>(unit, unit_size, time);
    } else {
      time_unit<float>(unit, unit_size, time);
    }
  }
  return speeds;
}

}  // namespace mobileone
