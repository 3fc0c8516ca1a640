#include "direct.h"

#include <ATen/ATen.h>

#include "cpu_backend.h"
#include "mobileone/kernels/matrix.h"
#include "mobileone/kernels/rows.h"
#include "mobileone/util/profile.h"
#include "parallel.h"
#include "patches.h"
#include "product.h"
#include "storage.h"

namespace mobileone {
namespace {

using at::Tensor;
using kernels::Compute;

constexpr int64_t kShare = 96;  // rows

/// Mean and biased variance [2,C] of the columns of a matrix.
template <typename S>
Tensor column_statistics(const Tensor& rows) {
  const int64_t channels = rows.size(1);
  const auto shift = sample_channels(rows).mean.to(kComputeType<S>);
  auto sums = parallel_sums(
      kShare, rows.size(0), 2 * channels, [&](int64_t begin, int64_t end, double* partial) {
        kernels::column_moments(end - begin, channels, data_of<const S>(rows) + begin * channels,
                                data_of<const Compute<S>>(shift), partial);
      });
  const auto moments = sums.view({2, channels}).div(static_cast<double>(rows.size(0)));
  return at::stack({moments[0] + shift, (moments[1] - moments[0].square()).clamp_min_(0)});
}

/// A unit's norm_factors as kernels read them.
template <typename S>
struct Factors {
  Factors(const DirectUnit& unit, const BranchStatistics& statistics) {
    const NormFactors factors = norm_factors(unit, statistics);
    scales = factors.scales.to(kComputeType<S>).contiguous();
    bias = factors.bias.to(kComputeType<S>);
    affine = {data_of<const Compute<S>>(scales), data_of<const Compute<S>>(bias),
              unit.skip() ? data_of<const Compute<S>>(scales) + scales.size(1) : nullptr};
  }

  Tensor scales, bias;
  kernels::Affine<Compute<S>> affine;
};

}  // namespace

NormFactors norm_factors(const DirectUnit& unit, const BranchStatistics& statistics) {
  const auto scales = unit.gamma * (statistics.var + unit.eps).rsqrt();
  return {scales, (unit.beta - scales * statistics.mean).sum(0)};
}

NormGradients norm_gradients(const DirectUnit& unit, const BranchStatistics& statistics,
                             const Tensor& shift, const Tensor& g_sum, const Tensor& products,
                             const NormBatch& batch, int64_t own_positions) {
  const double n = static_cast<double>(batch.positions(own_positions));
  const auto rstd = (statistics.var + unit.eps).rsqrt(), a = unit.gamma * rstd;
  NormGradients d;
  d.gamma = rstd * (products + (shift - statistics.mean) * g_sum);
  d.beta = g_sum.expand_as(d.gamma).clone();
  const auto of_all = batch.sum(at::stack({d.gamma, d.beta}));
  const auto b = -a * rstd * of_all[0] / n;
  d.terms = at::stack({a, b, -a * of_all[1] / n - b * (statistics.mean - shift)});
  return d;
}

namespace {

class CpuNorms final : public DirectNorms {
 public:
  BranchStatistics statistics(const Tensor& x, const Tensor& y,
                              const DirectUnit& unit) const override {
    const Span span("norm statistics", 0, static_cast<double>(y.nbytes()));
    return with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      auto all = column_statistics<S>(pixel_rows(y)).unsqueeze(1);
      if (unit.skip()) all = at::cat({all, column_statistics<S>(pixel_rows(x)).unsqueeze(1)}, 1);
      return BranchStatistics{all[0], all[1]};
    });
  }

  Tensor output(const Tensor& x, const Tensor& y, const DirectUnit& unit,
                const BranchStatistics& statistics, bool relu) const override {
    const int64_t channels = y.size(1);
    auto out = at::empty_like(y);
    const Span span("norm forward", 0, 2.0 * static_cast<double>(y.nbytes()));
    with_storage(y.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      const Factors<S> factors(unit, statistics);
      const S* xs = unit.skip() ? data_of<const S>(x) : nullptr;
      at::parallel_for(0, y.numel() / channels, kShare, [&](int64_t begin, int64_t end) {
        kernels::normalise(end - begin, channels, data_of<const S>(y) + begin * channels,
                           xs != nullptr ? xs + begin * channels : nullptr, factors.affine, relu,
                           data_of<S>(out) + begin * channels);
      });
    });
    return out;
  }

  DirectGradients gradients(const Tensor& x, const Tensor& y, const Tensor& g,
                            const DirectUnit& unit, const BranchStatistics& statistics,
                            const NormBatch& batch, bool relu, bool wanted,
                            const ConvShape& shape) const override {
    const int64_t in = x.size(1), out = y.size(1), rows = y.numel() / out;
    return with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      using T = Compute<S>;
      constexpr auto kType = kComputeType<S>;
      const Factors<S> factors(unit, statistics);
      const auto* xs = data_of<const S>(x);
      const auto* ys = data_of<const S>(y);
      auto* gs = data_of<S>(g);

      const auto shift = statistics.mean.to(kType).contiguous();
      const T* shifts = data_of<const T>(shift);
      auto sums = [&] {
        const Span span("norm backward", 0, 3.0 * static_cast<double>(y.nbytes()));
        return parallel_sums(
            kShare, rows, 3 * out, [&](int64_t begin, int64_t end, double* partial) {
              kernels::normalise_backward_sums(
                  end - begin, out, ys + begin * out, unit.skip() ? xs + begin * in : nullptr,
                  factors.affine, relu, shifts, unit.skip() ? shifts + out : nullptr,
                  gs + begin * out, partial);
            });
      }();
      const auto all = sums.view({3, out});
      const auto norms = norm_gradients(unit, statistics, shift, all[0],
                                        all.slice(0, 1, 1 + unit.gamma.size(0)), batch, rows);
      const auto terms = norms.terms.to(kType).contiguous();
      const auto norm = [&](int64_t branch) {
        const T* row = data_of<const T>(terms) + branch * out;
        const int64_t stride = unit.gamma.numel();
        return kernels::NormGradient<T>{row, row + stride, row + 2 * stride, shifts + branch * out};
      };
      const bool skip = unit.skip() && wanted;
      Tensor dx;
      if (wanted && (skip || shape.pointwise())) dx = at::empty({rows, in}, x.options());
      const auto norm_backward = [&](int64_t begin, int64_t end) {
        kernels::normalise_backward(end - begin, out, ys + begin * out,
                                    skip ? xs + begin * in : nullptr, norm(0),
                                    skip ? norm(1) : kernels::NormGradient<T>{}, gs + begin * out,
                                    skip ? data_of<S>(dx) + begin * in : nullptr);
      };
      if (!shape.pointwise()) {
        at::parallel_for(0, rows, kShare, norm_backward);
        const Convolutions& conv = cpu_backend().convolutions(shape);
        DirectGradients d{
            conv.weight_gradient(x, {}, g, shape).weight, norms.gamma, norms.beta, {}};
        if (wanted) d.x = conv.input_gradient(x, g, unit.weight, {}, shape);
        if (skip) d.x.add_(as_image(dx, x, {}));
        return d;
      }
      {
        const Span span("weight products", 2.0 * static_cast<double>(rows * out * in),
                        static_cast<double>(x.nbytes() + 3 * y.nbytes()));
        sums = product_sums(rows, out * in, [&](int64_t begin, int64_t end, double* partial) {
          norm_backward(begin, end);
          kernels::outer_product(end - begin, kernels::Columns<S>{gs + begin * out, out, out},
                                 kernels::Columns<S>{xs + begin * in, in, in}, kernels::Part::kAll,
                                 partial, in);
        });
      }
      DirectGradients d{sums.view({out, in}), norms.gamma, norms.beta, {}};
      if (wanted) {
        multiply_rows({{pixel_rows(g), unit.weight}}, {.accumulate = skip}, dx);
        d.x = as_image(dx, x, {});
      }
      return d;
    });
  }
};

}  // namespace

const DirectNorms& cpu_norms() {
  static const CpuNorms instance;
  return instance;
}

}  // namespace mobileone
