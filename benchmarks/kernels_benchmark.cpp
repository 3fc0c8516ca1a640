// The kernels one by one, on one thread, at the sizes of MobileOne-S0 with four images of 224 px.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "mobileone/kernels/depthwise.h"
#include "mobileone/kernels/matrix.h"

namespace {
using namespace mobileone::kernels;

Depthwise shape_of(const benchmark::State& state) {
  return {4, state.range(0), state.range(0), state.range(1), 3, state.range(2), 1};
}

struct DepthwiseData {
  explicit DepthwiseData(const Depthwise& s)
      : shape(s),
        x(s.images * s.height * s.width * s.channels, 0.5f),
        dx(x),
        y(s.images * s.out_height() * s.out_width() * s.channels, 1.0f),
        g(y),
        factors(s.by_offset_size(), 0.1f),
        sums(s.moment_rows() * s.channels),
        fast(new bool[s.blocks()]) {
    std::fill_n(fast.get(), s.blocks(), s.has_fast_path());
  }

  Depthwise shape;
  std::vector<float> x, dx, y, g, factors;
  std::vector<double> sums;
  std::unique_ptr<bool[]> fast;
};

template <typename F>
void run(benchmark::State& state, const F& kernel) {
  DepthwiseData data(shape_of(state));
  for (auto _ : state) kernel(data);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(data.x.size()) * 4);
}

void moments_of_patches(benchmark::State& state) {
  run(state, [](DepthwiseData& d) {
    moments(d.shape, 0, d.shape.tasks(), d.x.data(), d.factors.data(), d.fast.get(), d.sums.data());
  });
}

void convolution(benchmark::State& state) {
  run(state, [](DepthwiseData& d) {
    convolve(d.shape, 0, d.shape.tasks(), d.x.data(), d.factors.data(), d.factors.data(), true,
             d.y.data());
  });
}

void gradient_of_weight(benchmark::State& state) {
  run(state, [](DepthwiseData& d) {
    backward_weight(d.shape, 0, d.shape.tasks(), d.x.data(), d.y.data(), d.g.data(), d.sums.data());
  });
}

void gradient_of_input(benchmark::State& state) {
  run(state, [](DepthwiseData& d) {
    const float* f = d.factors.data();
    backward_input(d.shape, 0, d.shape.tasks(), d.x.data(), d.g.data(),
                   InputGradient<float>{f, f, f, d.shape.has_fast_input() ? f : nullptr},
                   d.dx.data());
  });
}

void sizes_of_s0(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"size", "channels", "stride"})
      ->Args({112, 48, 2})
      ->Args({56, 48, 1})
      ->Args({28, 128, 1})
      ->Args({14, 256, 1});
}
BENCHMARK(moments_of_patches)->Apply(sizes_of_s0);
BENCHMARK(convolution)->Apply(sizes_of_s0);
BENCHMARK(gradient_of_weight)->Apply(sizes_of_s0);
BENCHMARK(gradient_of_input)->Apply(sizes_of_s0);

/// rows × channels times channels × channels.
struct MatrixData {
  explicit MatrixData(const benchmark::State& state)
      : rows(state.range(0)),
        channels(state.range(1)),
        x(rows * channels, 0.5f),
        y(x),
        packed(packed_size<float>(channels, channels), 0.1f),
        c(channels * channels) {}

  int64_t rows, channels;
  std::vector<float> x, y, packed;
  std::vector<double> c;
};

void count_flops(benchmark::State& state, const MatrixData& d, double per_element) {
  const double flops = per_element * static_cast<double>(d.rows * d.channels * d.channels);
  state.counters["FLOP/s"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void product(benchmark::State& state) {
  MatrixData d(state);
  for (auto _ : state) {
    multiply(d.rows, d.channels, d.channels, d.x.data(), d.channels, d.packed.data(),
             Epilogue<float>{d.packed.data(), false, true}, d.y.data(), d.channels);
  }
  count_flops(state, d, 2);
}

void covariance(benchmark::State& state) {
  MatrixData d(state);
  const Columns<float> columns{d.x.data(), d.channels, d.channels, d.packed.data()};
  for (auto _ : state) outer_product(d.rows, columns, columns, 0, d.c.data(), d.channels);
  count_flops(state, d, 1);
}

void sizes_of_pointwise(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "channels"})
      ->Args({12544, 48})
      ->Args({3136, 128})
      ->Args({784, 256})
      ->Args({784, 512});
}
BENCHMARK(product)->Apply(sizes_of_pointwise);
BENCHMARK(covariance)->Apply(sizes_of_pointwise);

}  // namespace

BENCHMARK_MAIN();
