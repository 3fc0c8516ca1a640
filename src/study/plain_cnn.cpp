#include "mobileone/study/plain_cnn.h"

#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>
#include <vector>

namespace mobileone {
namespace {
using torch::Tensor;

std::vector<LayerShape> layer_shapes(const PlainCnnConfig& config) {
  std::vector<LayerShape> shapes;
  const auto widths = static_cast<int64_t>(config.widths.size());
  int64_t channels = 3, group = -1;
  for (int64_t i = 0; i < config.layers; ++i) {
    const int64_t next = i * widths / config.layers;
    shapes.push_back({channels, config.widths[next], next == group ? 1 : 2});
    channels = config.widths[next];
    group = next;
  }
  return shapes;
}

Layer convolution(const LayerShape& shape) {
  const double std = std::sqrt(2.0 / static_cast<double>(9 * shape.in_channels));  // He et al. 2015
  const Tensor weight = torch::randn({shape.out_channels, shape.in_channels, 3, 3})
                            .mul_(std)
                            .contiguous(torch::MemoryFormat::ChannelsLast);
  const Tensor bias = torch::zeros(shape.out_channels);
  return
      [=](const Tensor& x) { return torch::conv2d(x, weight, bias, shape.stride, /*padding=*/1); };
}

Layer chain(std::vector<Layer> layers) {
  return [layers = std::move(layers)](const Tensor& image) {
    Tensor x = image.contiguous(torch::MemoryFormat::ChannelsLast);
    for (const auto& layer : layers) x = layer(x);
    return x;
  };
}

Layer relu() {
  return [](const Tensor& x) { return x.relu_(); };
}

Tensor global_mean(const Tensor& x) { return x.mean({2, 3}, /*keepdim=*/true); }

/// Coefficients in (-1, 1) of an input's global mean: [N,C,H,W] → [outputs,N,groups,1,1], where
/// `groups` is C or 1.
Layer coefficients(int64_t channels, int64_t outputs, int64_t groups) {
  const int64_t hidden = std::max<int64_t>(1, channels / 8);
  torch::nn::Linear reduce(channels, hidden), expand(hidden, outputs * groups);
  return [=](const Tensor& x) mutable {
    const Tensor pooled = x.mean({2, 3});
    const Tensor raw = expand(reduce(pooled).relu_()).sigmoid_().mul_(2).sub_(1);
    return raw.view({x.size(0), outputs, groups, 1, 1}).transpose(0, 1);
  };
}

Layer dynamic_relu(int64_t channels, int64_t groups) {
  return [make = coefficients(channels, 4, groups)](const Tensor& x) {
    const Tensor c = make(x);
    return torch::max(x * (1 + c[0]) + 0.5 * c[1], x * c[2] + 0.5 * c[3]);
  };
}

Layer dynamic_shift_max(int64_t channels) {
  constexpr int64_t kGroups = 4;
  return [make = coefficients(channels, 4, channels), shift = channels / kGroups](const Tensor& x) {
    const Tensor c = make(x), shifted = x.roll(-shift, 1);
    return torch::max(x * (1 + c[0]) + shifted * c[1], x * c[2] + shifted * c[3]);
  };
}

Layer unfolded_unit(const LayerShape& shape, int64_t k) {
  UnitOptions options;
  options.in_channels = shape.in_channels;
  options.out_channels = shape.out_channels;
  options.kernel = 3;
  options.stride = shape.stride;
  options.branches = k;
  Unit unit(options);
  unit->eval();
  return [unit](const Tensor& x) mutable { return unit(x); };
}

/// A convolution with what a block puts between it and its ReLU.
Layer block_layer(const LayerShape& shape, Block block, int64_t k) {
  if (block == Block::kBranches) return unfolded_unit(shape, k);
  const bool se = block == Block::kSe || block == Block::kSeSkip;
  const bool skip = (block == Block::kSkip || block == Block::kSeSkip) && shape.stride == 1 &&
                    shape.in_channels == shape.out_channels;
  const bool pool = block == Block::kLayerPooling;
  SqueezeExcite excite(nullptr);
  if (se) excite = SqueezeExcite(shape.out_channels);
  return [=, conv = convolution(shape)](const Tensor& x) mutable {
    Tensor y = conv(x);
    if (se) y = excite(y);
    if (skip) y += x;
    if (pool) y += global_mean(y);
    return y.relu_();
  };
}

}  // namespace

Layer plain_cnn(const PlainCnnConfig& config,
                const std::function<Layer(const LayerShape&)>& after) {
  std::vector<Layer> layers;
  for (const auto& shape : layer_shapes(config)) {
    layers.push_back(convolution(shape));
    layers.push_back(after(shape));
  }
  return chain(std::move(layers));
}

Layer block_cnn(const PlainCnnConfig& config, Block block, int64_t k) {
  std::vector<Layer> layers;
  for (const auto& shape : layer_shapes(config)) layers.push_back(block_layer(shape, block, k));
  if (block == Block::kPooling) layers.push_back(global_mean);
  return chain(std::move(layers));
}

Layer activation_layer(Activation activation, int64_t channels) {
  switch (activation) {
    case Activation::kRelu:
      return relu();
    case Activation::kGelu:
      return [](const Tensor& x) { return torch::gelu_(const_cast<Tensor&>(x)); };
    case Activation::kSeRelu:
      return
          [excite = SqueezeExcite(channels)](const Tensor& x) mutable { return excite(x).relu_(); };
    case Activation::kSilu:
      return [](const Tensor& x) { return torch::silu_(const_cast<Tensor&>(x)); };
    case Activation::kDynamicReluA:
      return dynamic_relu(channels, 1);
    case Activation::kDynamicReluB:
      return dynamic_relu(channels, channels);
    case Activation::kDynamicShiftMax:
      return dynamic_shift_max(channels);
  }
  throw std::logic_error("an activation that activation_layer does not know");
}

}  // namespace mobileone
