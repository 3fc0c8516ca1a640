#include "mobileone/model/head.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <torch/nn/init.h>
#include <torch/types.h>

#include <map>

namespace mobileone {
namespace nn = torch::nn;
using torch::Tensor;

namespace {

constexpr double kAuxiliaryDropout = 0.1;
constexpr double kNarrow = 0.01;  // standard deviation of weights that outputs begin small with

/// A head's last layer computes in its weight's precision under autocast, too: processors without
/// bfloat16 arithmetic take longer for its product than for all else of a small batch.
class WithoutAutocast {
  c10::impl::ExcludeDispatchKeyGuard guard_{c10::autocast_dispatch_keyset};
};

Tensor classify(nn::Conv2d& conv, const Tensor& x) {
  const WithoutAutocast guard;
  return conv(x.to(conv->weight.scalar_type()));
}

}  // namespace

ClassifierImpl::ClassifierImpl(const NetworkOptions& network)
    : linear(network.stages.back().channels, network.num_classes),
      last_stage_(std::ssize(network.stages)) {
  register_parameter("weight", linear->weight);
  register_parameter("bias", linear->bias);
}

Outputs ClassifierImpl::forward(const std::vector<Tensor>& features, at::IntArrayRef,
                                const ChainRunner&) {
  const WithoutAutocast guard;
  nn::Linear layer = linear;
  return {layer(features.back().mean({2, 3}, /*keepdim=*/false, layer->weight.scalar_type()))};
}

void ClassifierImpl::initialise() {
  nn::init::normal_(linear->weight, 0, kNarrow);
  nn::init::zeros_(linear->bias);
}

DeepLabImpl::DeepLabImpl(const NetworkOptions& network)
    : last_stage_(std::ssize(network.stages)),
      dropout_(std::get<DeepLabOptions>(network.head).dropout),
      auxiliary_dropout_(kAuxiliaryDropout) {
  const size_t prefix = name().size() + 1;
  std::map<std::string, Unit> units;
  std::map<std::string, nn::Conv2d> convs;
  for (const auto& layer : head_table(network)) {
    const std::string own = layer.unit.name.substr(prefix);
    if (layer.kind == HeadLayer::Kind::kUnit) {
      units_.push_back(register_module(own, Unit(layer.unit)));
      units.emplace(own, units_.back());
      if (own.starts_with("aspp")) {
        const bool continues = own.ends_with("_pointwise");
        if (!continues) branches_.emplace_back();
        branches_.back().push_back(units_.back());
      }
    } else {
      const nn::Conv2dOptions conv(layer.unit.in_channels, layer.unit.out_channels, 1);
      convs.emplace(own, register_module(own, nn::Conv2d(conv)));
    }
  }
  project_ = units.at("project");
  classify_ = convs.at("classify");
  if (const auto found = units.find("pooling"); found != units.end()) pooling_ = found->second;
  if (const auto found = units.find("auxiliary"); found != units.end()) {
    auxiliary_ = found->second;
    auxiliary_classify_ = convs.at("auxiliary_classify");
  }
  register_module("dropout", dropout_);
  register_module("auxiliary_dropout", auxiliary_dropout_);
}

std::vector<int64_t> DeepLabImpl::stages() const {
  if (is_training() && auxiliary_) return {last_stage_ - 1, last_stage_};
  return {last_stage_};
}

Outputs DeepLabImpl::forward(const std::vector<Tensor>& features, at::IntArrayRef image_size,
                             const ChainRunner& run) {
  const Tensor& x = features.back();
  std::vector<Tensor> maps;
  for (const auto& branch : branches_) maps.push_back(run(branch, x));
  if (pooling_) {
    maps.push_back(run({pooling_}, x.mean({2, 3}, /*keepdim=*/true))
                       .expand({-1, -1, x.size(2), x.size(3)})
                       .contiguous(torch::MemoryFormat::ChannelsLast));
  }
  const Tensor logits = classify(classify_, dropout_(run({project_}, torch::cat(maps, 1))));
  if (!is_training()) {
    return {at::upsample_bilinear2d(logits, image_size, /*align_corners=*/false)};
  }
  Outputs outputs{logits};
  if (auxiliary_) {
    outputs.push_back(
        classify(auxiliary_classify_, auxiliary_dropout_(run({auxiliary_}, features.front()))));
  }
  return outputs;
}

SsdLiteImpl::SsdLiteImpl(const NetworkOptions& network)
    : stages_(ssd_stages(network)), levels_(std::get<SsdLiteOptions>(network.head).strides.size()) {
  const size_t prefix = name().size() + 1;
  const int64_t extras = std::ssize(levels_) - std::ssize(stages_);
  for (int64_t level = 0; level < std::ssize(levels_); ++level) {
    levels_[level].boxes.outputs = 4;
    levels_[level].classes.outputs = network.num_classes + 1;
  }
  for (const auto& layer : head_table(network)) {
    const std::string own = layer.unit.name.substr(prefix);
    const size_t mark = own.find('_');
    const int64_t number = std::stoll(own.substr(own.find_first_of("123456789")));
    const bool is_extra = own.starts_with("extra");
    Level& level = levels_[is_extra ? std::ssize(levels_) - extras + number - 1 : number - 1];
    Branch& branch = own.substr(mark).starts_with("_boxes") ? level.boxes : level.classes;
    if (layer.kind == HeadLayer::Kind::kUnit) {
      units_.push_back(register_module(own, Unit(layer.unit)));
      const bool is_shared = own.substr(mark) == "_depthwise";
      auto& chain = is_extra ? level.extra : is_shared ? level.shared : branch.units;
      chain.push_back(units_.back());
    } else {
      const nn::Conv2dOptions conv(layer.unit.in_channels, layer.unit.out_channels, 1);
      branch.conv = register_module(own, nn::Conv2d(conv));
    }
  }
}

void SsdLiteImpl::initialise() {
  for (auto& level : levels_) {
    nn::init::normal_(level.boxes.conv->weight, 0, kNarrow);
    nn::init::normal_(level.classes.conv->weight, 0, kNarrow);
  }
}

Outputs SsdLiteImpl::forward(const std::vector<Tensor>& features, at::IntArrayRef,
                             const ChainRunner& run) {
  std::vector<Tensor> all;
  Tensor map;
  for (size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    map = i < features.size() ? features[i] : run(level.extra, map);
    const Tensor shared = level.shared.empty() ? map : run(level.shared, map);
    std::vector<Tensor> of_anchors;
    for (Branch* branch : {&level.boxes, &level.classes}) {
      const Tensor x = branch->units.empty() ? shared : run(branch->units, shared);
      const Tensor y = classify(branch->conv, x).permute({0, 2, 3, 1});
      of_anchors.push_back(y.reshape({y.size(0), -1, branch->outputs}));
    }
    all.push_back(torch::cat(of_anchors, 2));
  }
  return {torch::cat(all, 1)};
}

std::shared_ptr<HeadImpl> make_head(const NetworkOptions& network) {
  if (network.num_classes == 0) return nullptr;
  if (std::holds_alternative<SsdLiteOptions>(network.head)) {
    return std::make_shared<SsdLiteImpl>(network);
  }
  if (std::holds_alternative<DeepLabOptions>(network.head)) {
    return std::make_shared<DeepLabImpl>(network);
  }
  return std::make_shared<ClassifierImpl>(network);
}

}  // namespace mobileone
