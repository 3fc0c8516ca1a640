#include "mobileone/reparam/patch_conv.h"

#include "dense_conv.h"
#include "depthwise_conv.h"

namespace mobileone {

PatchMoments patch_moments(const at::Tensor& x, const ConvShape& shape) {
  return shape.depthwise() ? depthwise::moments(x, shape) : dense::moments(x, shape);
}

at::Tensor patch_conv(const at::Tensor& x, const FoldedConv& conv, bool relu,
                      const ConvShape& shape) {
  return shape.depthwise() ? depthwise::forward(x, conv, relu, shape)
                           : dense::forward(x, conv, relu, shape);
}

FoldedConv patch_conv_backward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& g,
                               const ConvShape& shape) {
  return shape.depthwise() ? depthwise::backward_weight(x, y, g, shape)
                           : dense::backward_weight(x, y, g, shape);
}

at::Tensor patch_conv_backward_input(const at::Tensor& x, const at::Tensor& g,
                                     const at::Tensor& weight, const PatchMoments& moments,
                                     const PatchMoments& gradient, const ConvShape& shape) {
  const double count = static_cast<double>(g.numel() / g.size(1));
  MomentFactors factors;
  factors.d = gradient.covariance * (2 / count);
  factors.e = gradient.mean / count - at::bmm(factors.d, moments.mean.unsqueeze(2)).squeeze(2);
  return shape.depthwise() ? depthwise::backward_input(x, g, weight, factors, shape)
                           : dense::backward_input(x, g, weight, factors, shape);
}

}  // namespace mobileone
