#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "cpu_backend.h"
#include "mobileone/kernels/matrix.h"
#include "mobileone/kernels/rows.h"
#include "mobileone/util/profile.h"
#include "parallel.h"
#include "patches.h"
#include "product.h"
#include "storage.h"
#include "tap_products.h"

namespace mobileone {
namespace {

using at::Tensor;
using kernels::Compute;

/// Every patch as a row, [n,P]: a view of x for a pointwise convolution, a copy otherwise.
Tensor patch_rows(const Tensor& x, const ConvShape& shape) {
  if (shape.pointwise()) return pixel_rows(x);
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3),
                out_height = shape.output_size(height), out_width = shape.output_size(width),
                kernel = shape.kernel;
  auto rows = at::empty({x.size(0) * out_height * out_width, shape.patch_size()}, x.options());
  const Span span("patches of the stem", 0, static_cast<double>(rows.nbytes() + x.nbytes()));
  with_storage(x.scalar_type(), [&](auto tag) {
    using S = decltype(tag);
    at::parallel_for(0, x.size(0) * out_height, 1, [&](int64_t begin, int64_t end) {
      S* out = data_of<S>(rows) + begin * out_width * shape.patch_size();
      for (int64_t line = begin; line < end; ++line) {
        const S* image = data_of<const S>(x) + line / out_height * height * width * channels;
        const int64_t top = line % out_height * shape.stride - shape.padding();
        for (int64_t ox = 0; ox < out_width; ++ox) {
          const int64_t left = ox * shape.stride - shape.padding();
          // Where the image goes on beside a row of taps, these lie side by side.
          const bool together = shape.dilation == 1 && left >= 0 && left + kernel <= width;
          for (int64_t ky = 0; ky < kernel; ++ky) {
            const int64_t y = top + ky * shape.dilation;
            const bool row_inside = y >= 0 && y < height;
            if (together && row_inside) {
              out = std::copy_n(image + (y * width + left) * channels, kernel * channels, out);
              continue;
            }
            for (int64_t kx = 0; kx < kernel; ++kx) {
              const int64_t xx = left + kx * shape.dilation;
              const bool inside = row_inside && xx >= 0 && xx < width;
              out = inside ? std::copy_n(image + (y * width + xx) * channels, channels, out)
                           : std::fill_n(out, channels, S{});
            }
          }
        }
      }
    });
  });
  return rows;
}

/// Multiplies g in place with the ReLU's mask, if y is defined; returns its sums by channel.
Tensor mask_and_sum(const Tensor& y, const Tensor& gradient) {
  const auto g = pixel_rows(gradient);
  const int64_t channels = g.size(1);
  return with_storage(gradient.scalar_type(), [&](auto tag) {
    using S = decltype(tag);
    return parallel_sums(96, g.size(0), channels, [&](int64_t begin, int64_t end, double* sums) {
      kernels::relu_backward(end - begin, channels,
                             y.defined() ? data_of<const S>(y) + begin * channels : nullptr,
                             data_of<S>(g) + begin * channels, sums);
    });
  });
}

class CpuDense final : public Convolutions {
 public:
  PatchMoments moments(const Tensor& x, const ConvShape& shape) const override {
    const auto rows = patch_rows(x, shape);
    const int64_t patch = rows.size(1);
    const Span span("covariance", static_cast<double>(rows.numel() * patch),
                    static_cast<double>(rows.nbytes()));
    const ChannelSample sample = sample_channels(rows);
    return with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      using T = Compute<S>;
      const auto shift = sample.mean.to(kComputeType<S>);
      const T* shifts = data_of<T>(shift);
      // Column sums, then the upper half of the second moments.
      auto sums = product_sums(
          rows.size(0), (1 + patch) * patch, [&](int64_t begin, int64_t end, double* partial) {
            const kernels::Columns<S> columns{data_of<const S>(rows) + begin * patch, patch, patch,
                                              shifts, partial};
            kernels::outer_product(end - begin, columns, columns, kernels::Part::kUpper,
                                   partial + patch, patch);
          });
      const double n = static_cast<double>(rows.size(0));
      PatchMoments result{at::empty({1, patch}, at::kDouble),
                          at::empty({1, patch, patch}, at::kDouble)};
      auto* mean = data_of<double>(result.mean);
      auto* covariance = data_of<double>(result.covariance);
      const double* total = data_of<const double>(sums);
      const double* products = total + patch;
      at::parallel_for(0, patch, 16, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          mean[i] = total[i] / n + static_cast<double>(shifts[i]);
          for (int64_t j = 0; j < patch; ++j) {
            const double product = i <= j ? products[i * patch + j] : products[j * patch + i];
            covariance[i * patch + j] = product / n - total[i] / n * (total[j] / n);
          }
        }
      });
      return result;
    });
  }

  Tensor forward(const Tensor& x, const FoldedConv& conv, bool relu,
                 const ConvShape& shape) const override {
    if (has_tap_products(shape)) {
      auto y = tap_forward(x.to(compute_type(x)), conv.weight, shape);
      if (conv.bias.defined()) y.add_(conv.bias.to(y.scalar_type()).view({1, -1, 1, 1}));
      if (relu) y.relu_();
      return y.to(x.scalar_type());
    }
    const auto rows = patch_rows(x, shape);
    auto y = at::empty({rows.size(0), conv.weight.size(0)}, x.options());
    multiply_rows({{rows, conv.weight.t()}}, {.bias = conv.bias, .relu = relu}, y);
    return as_image(y, x, shape);
  }

  FoldedConv weight_gradient(const Tensor& x, const Tensor& y, const Tensor& gradient,
                             const ConvShape& shape) const override {
    if (has_tap_products(shape)) {
      const auto sums = mask_and_sum(y, gradient);
      const auto type = compute_type(x);
      return {tap_weight(x.to(type), gradient.to(type), shape), sums};
    }
    const auto rows = patch_rows(x, shape), g = pixel_rows(gradient);
    const int64_t outputs = g.size(1), patch = rows.size(1);
    const Span span("weight products", 2.0 * static_cast<double>(g.numel() * patch),
                    static_cast<double>(rows.nbytes() + 3 * g.nbytes()));
    return with_storage(x.scalar_type(), [&](auto tag) {
      using S = decltype(tag);
      auto sums = product_sums(
          rows.size(0), outputs * (patch + 1), [&](int64_t begin, int64_t end, double* partial) {
            S* here = data_of<S>(g) + begin * outputs;
            kernels::relu_backward(end - begin, outputs,
                                   y.defined() ? data_of<const S>(y) + begin * outputs : nullptr,
                                   here, partial);
            kernels::outer_product(
                end - begin, kernels::Columns<S>{here, outputs, outputs},
                kernels::Columns<S>{data_of<const S>(rows) + begin * patch, patch, patch},
                kernels::Part::kAll, partial + outputs, patch);
          });
      return FoldedConv{sums.slice(0, outputs).view({outputs, patch}), sums.slice(0, 0, outputs)};
    });
  }

  Tensor input_gradient(const Tensor& x, const Tensor& gradient, const Tensor& weight,
                        const MomentFactors& factors, const ConvShape& shape) const override {
    if (!factors.d.defined() && has_tap_products(shape)) {
      const auto type = compute_type(x);
      return tap_input(x, gradient.to(type), weight, shape).to(x.scalar_type());
    }
    const auto g = pixel_rows(gradient);
    auto dx = at::empty({g.size(0), shape.patch_size()}, x.options());
    if (factors.d.defined()) {
      multiply_rows({{g, weight}, {patch_rows(x, shape), factors.d[0]}}, {.bias = factors.e[0]},
                    dx);
    } else {
      multiply_rows({{g, weight}}, {}, dx);
    }
    return shape.pointwise() ? as_image(dx, x, shape) : scatter_patches(dx, x, shape);
  }
};

}  // namespace

const Convolutions& cpu_dense() {
  static const CpuDense instance;
  return instance;
}

}  // namespace mobileone
