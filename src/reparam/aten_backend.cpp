#include "aten_backend.h"

#include <ATen/ATen.h>

#include "direct.h"
#include "mobileone/util/profile.h"
#include "patches.h"
#include "storage.h"

namespace mobileone {
namespace {

using at::Tensor;

/// Every patch of a dense convolution as a row, [n,P].
Tensor im2col_rows(const Tensor& x, const ConvShape& shape) {
  if (shape.pointwise()) return pixel_rows(x);
  const int64_t k = shape.kernel, d = shape.dilation, p = shape.padding(), s = shape.stride;
  const auto columns = at::im2col(x, {k, k}, {d, d}, {p, p}, {s, s});
  return columns.view({x.size(0), x.size(1), k * k, -1})
      .permute({0, 3, 2, 1})
      .reshape({-1, shape.patch_size()});
}

/// The pixels of every output position under each tap of a depthwise kernel: P views
/// [N,C,H',W'] of an image with its padding.
std::vector<Tensor> taps(const Tensor& padded, const Tensor& x, const ConvShape& shape) {
  std::vector<Tensor> views;
  for (int64_t i = 0; i < shape.patch_size(); ++i) {
    const auto along = [&](const Tensor& image, int64_t dim, int64_t tap) {
      const int64_t first = tap * shape.dilation,
                    last = first + (shape.output_size(x.size(dim)) - 1) * shape.stride;
      return image.slice(dim, first, last + 1, shape.stride);
    };
    views.push_back(along(along(padded, 2, i / shape.kernel), 3, i % shape.kernel));
  }
  return views;
}

Tensor pad(const Tensor& x, const ConvShape& shape) {
  const int64_t p = shape.padding();
  return at::constant_pad_nd(x, {p, p, p, p}).contiguous(at::MemoryFormat::ChannelsLast);
}

/// [C] → [1,C,1,1].
Tensor over_pixels(const Tensor& by_channel) { return by_channel.view({1, -1, 1, 1}); }

/// One depthwise filter [C,P] as conv2d takes it.
Tensor filter(const Tensor& weight, const ConvShape& shape) {
  return weight.reshape({weight.size(0), 1, shape.kernel, shape.kernel});
}

/// Both gradients of a depthwise convolution; those not wanted are undefined.
std::tuple<Tensor, Tensor, Tensor> depthwise_backward(const Tensor& x, const Tensor& g,
                                                      const Tensor& weight, const ConvShape& shape,
                                                      bool input) {
  const int64_t s = shape.stride, p = shape.padding(), d = shape.dilation;
  return at::convolution_backward(g, x, filter(weight, shape), at::IntArrayRef{weight.size(0)},
                                  {s, s}, {p, p}, {d, d}, /*transposed=*/false, {0, 0},
                                  shape.groups, {input, !input, !input});
}

/// g times the ReLU's mask, in place.
void mask(const Tensor& g, const Tensor& y) {
  if (!y.defined()) return;
  auto out = g;
  at::threshold_backward_out(out, g, y, 0);
}

class AtenDense final : public Convolutions {
 public:
  PatchMoments moments(const Tensor& x, const ConvShape& shape) const override {
    const Span span("covariance");
    const auto rows = im2col_rows(x, shape).to(compute_type(x));
    const double n = static_cast<double>(rows.size(0));
    const auto shift = rows.mean(0), centred = rows - shift;
    const auto rest = centred.mean(0).to(at::kDouble);
    const auto products = centred.t().mm(centred).to(at::kDouble);
    return {(shift + rest).unsqueeze(0), (products / n - at::outer(rest, rest)).unsqueeze(0)};
  }

  Tensor forward(const Tensor& x, const FoldedConv& conv, bool relu,
                 const ConvShape& shape) const override {
    const Span span("products");
    const auto rows = im2col_rows(x, shape), weight = conv.weight.to(x.scalar_type()).t();
    auto y = conv.bias.defined() ? at::addmm(conv.bias.to(x.scalar_type()), rows, weight)
                                 : rows.mm(weight);
    if (relu) y.relu_();
    return as_image(y, x, shape);
  }

  FoldedConv weight_gradient(const Tensor& x, const Tensor& y, const Tensor& gradient,
                             const ConvShape& shape) const override {
    const Span span("weight products");
    mask(gradient, y);
    const auto g = pixel_rows(gradient);
    return {g.t().mm(im2col_rows(x, shape)), g.sum(0, /*keepdim=*/false, compute_type(x))};
  }

  Tensor input_gradient(const Tensor& x, const Tensor& g, const Tensor& weight,
                        const MomentFactors& factors, const ConvShape& shape) const override {
    const Span span("products");
    const auto dtype = x.scalar_type();
    auto dx = pixel_rows(g).mm(weight.to(dtype));
    if (factors.d.defined()) {
      dx.addmm_(im2col_rows(x, shape), factors.d[0].to(dtype)).add_(factors.e[0].to(dtype));
    }
    return shape.pointwise() ? as_image(dx, x, shape) : scatter_patches(dx, x, shape);
  }
};

class AtenDepthwise final : public Convolutions {
 public:
  PatchMoments moments(const Tensor& x, const ConvShape& shape) const override {
    const Span span("depthwise moments");
    const auto image = x.to(compute_type(x));
    const auto shift = image.mean({0, 2, 3});
    const auto views = taps(pad(image, shape) - over_pixels(shift), x, shape);
    const int64_t channels = x.size(1), patch = shape.patch_size();
    const double n = static_cast<double>(views.front().numel() / channels);
    std::vector<Tensor> means;
    for (const auto& view : views) means.push_back(view.mean({0, 2, 3}).to(at::kDouble));
    PatchMoments result{at::stack(means, 1) + shift.unsqueeze(1),
                        at::empty({channels, patch, patch}, result.mean.options())};
    for (size_t i = 0; i < views.size(); ++i) {
      for (size_t j = i; j < views.size(); ++j) {
        const auto product = (views[i] * views[j]).sum({0, 2, 3}).to(at::kDouble) / n;
        const auto covariance = product - means[i] * means[j];
        const auto row = static_cast<int64_t>(i), column = static_cast<int64_t>(j);
        result.covariance.select(1, row).select(1, column).copy_(covariance);
        result.covariance.select(1, column).select(1, row).copy_(covariance);
      }
    }
    return result;
  }

  Tensor forward(const Tensor& x, const FoldedConv& conv, bool relu,
                 const ConvShape& shape) const override {
    const Span span("depthwise forward");
    const auto dtype = x.scalar_type();
    auto y = at::conv2d(x, filter(conv.weight, shape).to(dtype),
                        conv.bias.defined() ? conv.bias.to(dtype) : Tensor(), shape.stride,
                        shape.padding(), shape.dilation, shape.groups)
                 .contiguous(at::MemoryFormat::ChannelsLast);
    return relu ? y.relu_() : y;
  }

  FoldedConv weight_gradient(const Tensor& x, const Tensor& y, const Tensor& g,
                             const ConvShape& shape) const override {
    const Span span("depthwise weights");
    mask(g, y);
    const auto like = at::empty({x.size(1), shape.patch_size()}, x.options());
    const auto gradients = depthwise_backward(x, g, like, shape, /*input=*/false);
    return {std::get<1>(gradients).flatten(1), std::get<2>(gradients)};
  }

  Tensor input_gradient(const Tensor& x, const Tensor& g, const Tensor& weight,
                        const MomentFactors& factors, const ConvShape& shape) const override {
    const Span span("depthwise input");
    const auto from_output =
        std::get<0>(depthwise_backward(x, g, weight.to(x.scalar_type()), shape, /*input=*/true));
    if (!factors.d.defined()) return from_output.contiguous(at::MemoryFormat::ChannelsLast);
    const auto dtype = compute_type(x);
    const auto image = x.to(dtype);
    // e_i + Σ_j D_ij p_j of every patch, added to the pixel that is its tap i.
    auto from_moments = at::zeros_like(pad(image, shape));
    auto views = taps(from_moments, x, shape);
    for (size_t i = 0; i < views.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      views[i].add_(at::conv2d(image, filter(factors.d.select(1, row), shape).to(dtype),
                               factors.e.select(1, row).to(dtype), shape.stride, shape.padding(),
                               shape.dilation, shape.groups));
    }
    const int64_t p = shape.padding();
    return (from_moments.slice(2, p, p + x.size(2)).slice(3, p, p + x.size(3)) + from_output)
        .to(x.scalar_type())
        .contiguous(at::MemoryFormat::ChannelsLast);
  }
};

class AtenGates final : public Gates {
 public:
  Tensor relu(const Tensor& z, const Tensor& gate) const override {
    return (z * gate.to(z.scalar_type()).unsqueeze(2).unsqueeze(3)).relu_();
  }

  Tensor gate_gradient(const Tensor& z, const Tensor& gate, const Tensor& g) const override {
    mask(g, relu(z, gate));
    return (g * z).sum({2, 3}, /*keepdim=*/false, gate.scalar_type());
  }

  void input_gradient(const Tensor& g, const Tensor& gate, const Tensor& offset) const override {
    const auto over_image = [&](const Tensor& values) {
      return values.to(g.scalar_type()).unsqueeze(2).unsqueeze(3);
    };
    auto out = g;
    out.mul_(over_image(gate)).add_(over_image(offset));
  }
};

}  // namespace

BranchStatistics AtenNorms::statistics(const Tensor& x, const Tensor& y,
                                       const DirectUnit& unit) const {
  const Span span("norm statistics");
  std::vector<Tensor> means, vars;
  const auto add = [&](const Tensor& image) {
    const auto [var, mean] =
        at::var_mean(pixel_rows(image).to(compute_type(image)), at::IntArrayRef{0}, 0);
    means.push_back(mean), vars.push_back(var);
  };
  add(y);
  if (unit.skip()) add(x);
  return {at::stack(means).to(at::kDouble), at::stack(vars).to(at::kDouble)};
}

Tensor AtenNorms::output(const Tensor& x, const Tensor& y, const DirectUnit& unit,
                         const BranchStatistics& statistics, bool relu) const {
  const Span span("norm forward");
  const NormFactors factors = norm_factors(unit, statistics);
  const auto dtype = compute_type(y);
  const auto scales = factors.scales.to(dtype);
  auto z = at::addcmul(over_pixels(factors.bias.to(dtype)), y, over_pixels(scales[0]));
  if (unit.skip()) z.addcmul_(x, over_pixels(scales[1]));
  if (relu) z.relu_();
  return z.to(y.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
}

DirectGradients AtenNorms::gradients(const Tensor& x, const Tensor& y, const Tensor& g,
                                     const DirectUnit& unit, const BranchStatistics& statistics,
                                     const NormBatch& batch, bool relu, bool wanted,
                                     const ConvShape& shape) const {
  const Span span("norm backward");
  if (relu) mask(g, output(x, y, unit, statistics, /*relu=*/false));
  const auto dtype = compute_type(x);
  const auto shift = statistics.mean.to(dtype);
  const auto gradient = g.to(dtype), g_sum = gradient.sum({0, 2, 3}).to(at::kDouble);
  std::vector<Tensor> inputs{y.to(dtype) - over_pixels(shift[0])}, products;
  if (unit.skip()) inputs.push_back(x.to(dtype) - over_pixels(shift[1]));
  for (const auto& input : inputs) products.push_back((gradient * input).sum({0, 2, 3}));
  const NormGradients norms = norm_gradients(unit, statistics, shift, g_sum, at::stack(products),
                                             batch, y.numel() / y.size(1));
  const auto terms = norms.terms.to(dtype);
  const auto of_input = [&](int64_t branch) {
    const auto of = terms.select(1, branch);
    auto d = at::addcmul(over_pixels(of[2]), gradient, over_pixels(of[0]));
    d.addcmul_(inputs[static_cast<size_t>(branch)], over_pixels(of[1]));
    return d.to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
  };
  const auto of_conv = of_input(0);
  const Convolutions& conv = shape.depthwise() ? depthwise_ : dense_;
  DirectGradients d{
      conv.weight_gradient(x, {}, of_conv, shape).weight, norms.gamma, norms.beta, {}};
  if (!wanted) return d;
  d.x = conv.input_gradient(x, of_conv, unit.weight, {}, shape);
  if (unit.skip()) d.x.add_(of_input(1));
  return d;
}

const Backend& portable_backend() {
  static const AtenDense dense;
  static const AtenDepthwise depthwise;
  static const AtenNorms norms(dense, depthwise);
  static const AtenGates gates;
  static const Backend portable{dense, depthwise, aten_fold_loops(), norms, gates};
  return portable;
}

}  // namespace mobileone
