#include "depthwise_conv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "cpu_backend.h"
#include "mobileone/util/profile.h"
#include "parallel.h"
#include "patches.h"

namespace mobileone {
namespace {

using at::Tensor;
using kernels::Compute;
using kernels::Depthwise;

double bytes(const Tensor& tensor) {
  return static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
}

/// Multiplications and additions of `per_position` multiply-adds for each output.
double flops(const Depthwise& g, int64_t per_position) {
  return 2.0 * static_cast<double>(g.images * g.out_height() * g.out_width() * g.channels) *
         static_cast<double>(per_position);
}

/// The blocks of channels whose second moments may be summed unshifted: means within a few
/// deviations cost the variance at most a digit.
std::unique_ptr<bool[]> well_conditioned(const Depthwise& g, const ChannelSample& sample) {
  constexpr double kDeviations = 4;
  auto fast = std::make_unique<bool[]>(static_cast<size_t>(g.blocks()));
  const auto* mean = sample.mean.const_data_ptr<double>();
  const auto* deviation = sample.deviation.const_data_ptr<double>();
  std::fill_n(fast.get(), g.blocks(), g.has_fast_path());
  for (int64_t c = 0; c < g.channels; ++c) {
    if (!(std::abs(mean[c]) <= kDeviations * deviation[c])) fast[c / Depthwise::kBlock] = false;
  }
  return fast;
}

// A convolution of stride 1 and dilation d is one without dilation on each of the d × d images of
// every d-th pixel, which the fast kernels know.

bool has_phases(const Tensor& x, const ConvShape& shape) {
  return shape.kernel == 3 && shape.stride == 1 && shape.dilation > 1 &&
         x.size(2) % shape.dilation == 0 && x.size(3) % shape.dilation == 0;
}

/// [N,C,H,W] → [N·d·d,C,H/d,W/d].
Tensor to_phases(const Tensor& x, int64_t d) {
  return x.permute({0, 2, 3, 1})
      .reshape({x.size(0), x.size(2) / d, d, x.size(3) / d, d, x.size(1)})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({-1, x.size(2) / d, x.size(3) / d, x.size(1)})
      .permute({0, 3, 1, 2});
}

Tensor from_phases(const Tensor& phases, int64_t d) {
  const int64_t height = phases.size(2), width = phases.size(3), channels = phases.size(1);
  return phases.permute({0, 2, 3, 1})
      .reshape({-1, d, d, height, width, channels})
      .permute({0, 3, 1, 4, 2, 5})
      .reshape({-1, height * d, width * d, channels})
      .permute({0, 3, 1, 2});
}

ConvShape undilated(ConvShape shape) {
  shape.dilation = 1;
  return shape;
}

class CpuDepthwise final : public Convolutions {
 public:
  PatchMoments moments(const Tensor& x, const ConvShape& shape) const override {
    if (has_phases(x, shape)) return moments(to_phases(x, shape.dilation), undilated(shape));
    const Depthwise g = depthwise_geometry(x, shape);
    const Span span("depthwise moments", flops(g, g.has_fast_path() ? 13 : 45), bytes(x));
    const ChannelSample sample = sample_channels(pixel_rows(x));
    const auto fast = well_conditioned(g, sample);
    const int64_t channels = g.channels, taps = g.taps();
    PatchMoments result{at::empty({channels, taps}, at::kDouble),
                        at::empty({channels, taps, taps}, at::kDouble)};
    with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      const auto shift = sample.mean.to(kComputeType<S>);
      const auto* shifts = data_of<Compute<S>>(shift);
      const auto sums = parallel_sums(1, g.tasks(), g.moment_rows() * channels,
                                      [&](int64_t begin, int64_t end, double* partial) {
                                        kernels::moments(g, begin, end, data_of<const S>(x), shifts,
                                                         fast.get(), partial);
                                      });
      at::parallel_for(0, channels, 16, [&](int64_t begin, int64_t end) {
        kernels::finish_moments(g, begin, end, shifts, fast.get(), data_of<const double>(sums),
                                data_of<double>(result.mean), data_of<double>(result.covariance));
      });
    });
    return result;
  }

  Tensor forward(const Tensor& x, const FoldedConv& conv, bool relu,
                 const ConvShape& shape) const override {
    const Depthwise g = depthwise_geometry(x, shape);
    auto y = empty_image(x, g.out_height(), g.out_width());
    const Span span("depthwise forward", flops(g, g.taps()), bytes(x) + bytes(y));
    with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      const auto weight = channels_to_end<S>(conv.weight), bias = bias_of<S>(conv);
      at::parallel_for(0, g.tasks(), 1, [&](int64_t begin, int64_t end) {
        kernels::convolve(g, begin, end, data_of<const S>(x), data_of<const Compute<S>>(weight),
                          data_of<const Compute<S>>(bias), relu, data_of<S>(y));
      });
    });
    return y;
  }

  FoldedConv weight_gradient(const Tensor& x, const Tensor& y, const Tensor& gradient,
                             const ConvShape& shape) const override {
    const Depthwise g = depthwise_geometry(x, shape);
    const Span span("depthwise weights", flops(g, g.taps()), bytes(x) + 3 * bytes(gradient));
    return with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      auto sums =
          parallel_sums(1, g.tasks(), (g.taps() + 1) * g.channels,
                        [&](int64_t begin, int64_t end, double* partial) {
                          kernels::backward_weight(g, begin, end, data_of<const S>(x),
                                                   y.defined() ? data_of<const S>(y) : nullptr,
                                                   data_of<S>(gradient), partial);
                        });
      const auto all = sums.view({g.taps() + 1, g.channels});
      return FoldedConv{all.narrow(0, 0, g.taps()).t().contiguous(), all[g.taps()]};
    });
  }

  Tensor input_gradient(const Tensor& x, const Tensor& gradient, const Tensor& weight,
                        const MomentFactors& factors, const ConvShape& shape) const override {
    if (!factors.d.defined() && shape.stride == 1) {
      // A convolution by the kernel turned about.
      return forward(gradient, {weight.flip(1), {}}, /*relu=*/false, shape);
    }
    if (has_phases(x, shape)) {
      const auto dx =
          input_gradient(to_phases(x, shape.dilation), to_phases(gradient, shape.dilation), weight,
                         factors, undilated(shape));
      return from_phases(dx, shape.dilation);
    }
    const Depthwise g = depthwise_geometry(x, shape);
    auto dx = empty_image(x, x.size(2), x.size(3));
    const int64_t for_moments = !factors.d.defined() ? 0 : g.has_fast_path() ? 25 : 73;
    const Span span("depthwise input", flops(g, g.taps() + for_moments),
                    2 * bytes(x) + bytes(gradient));
    with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      using T = Compute<S>;
      const bool fast = g.has_fast_input() && factors.d.defined();
      const InputFactors<S> own(weight, factors, fast ? g.by_offset_size() : 0);
      if (fast) {
        at::parallel_for(0, g.blocks(), 1, [&](int64_t begin, int64_t end) {
          kernels::sum_by_offset(g, begin, end, own.terms.d, own.terms.e,
                                 data_of<T>(own.by_offset));
        });
      }
      at::parallel_for(0, g.tasks(), 1, [&](int64_t begin, int64_t end) {
        kernels::backward_input(g, begin, end, data_of<const S>(x), data_of<const S>(gradient),
                                own.terms, data_of<S>(dx));
      });
    });
    return dx;
  }
};

}  // namespace

const Convolutions& cpu_depthwise() {
  static const CpuDepthwise instance;
  return instance;
}

}  // namespace mobileone
