#include "mobileone/model/options.h"

#include <algorithm>
#include <array>

namespace mobileone {
namespace {

constexpr std::array<int64_t, 4> kBaseWidths = {64, 128, 256, 512};

/// A row of the paper's table 2 and of Apple's `PARAMS`.
struct VariantRow {
  std::array<double, 4> width_multipliers;
  int64_t branches;
  std::array<int64_t, 4> se_blocks;
};

const VariantRow& variant_row(Variant variant) {
  static const std::array<VariantRow, 5> table = {{
      {{0.75, 1.0, 1.0, 2.0}, 4, {0, 0, 0, 0}},
      {{1.5, 1.5, 2.0, 2.5}, 1, {0, 0, 0, 0}},
      {{1.5, 2.0, 2.5, 4.0}, 1, {0, 0, 0, 0}},
      {{2.0, 2.5, 3.0, 4.0}, 1, {0, 0, 0, 0}},
      {{3.0, 3.5, 3.5, 4.0}, 1, {0, 0, 5, 1}},
  }};
  return table[static_cast<size_t>(variant)];
}

int64_t scaled_width(int64_t base, double multiplier) {
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(base) * multiplier));
}

std::vector<HeadLayer> layers_of(const ClassifierOptions&, const NetworkOptions& network) {
  UnitOptions linear;
  linear.name = "linear";
  linear.in_channels = network.stages.back().channels;
  linear.out_channels = network.num_classes;
  return {{linear, HeadLayer::Kind::kLinear, std::ssize(network.stages), /*pooled=*/true}};
}

std::vector<HeadLayer> layers_of(const DeepLabOptions& head, const NetworkOptions& network) {
  std::vector<HeadLayer> layers;
  const auto unit = [&](const std::string& name, int64_t in, int64_t out) -> UnitOptions& {
    layers.emplace_back().stage = std::ssize(network.stages);
    UnitOptions& added = layers.back().unit;
    added.name = "head." + name;
    added.in_channels = in;
    added.out_channels = out;
    added.scale = added.skip = false;
    added.folded = network.folded;
    return added;
  };
  const auto dilated = [&](UnitOptions& added, int64_t rate) {
    added.kernel = 3;
    added.dilation = rate;
  };
  const auto classify = [&](const std::string& name, int64_t in) {
    unit(name, in, network.num_classes);
    layers.back().kind = HeadLayer::Kind::kConv;
  };
  const int64_t in = network.stages.back().channels, channels = head.channels;
  unit("aspp0", in, channels);
  for (size_t i = 0; i < head.rates.size(); ++i) {
    const std::string name = fmt::format("aspp{}", i + 1);
    if (head.separable) {
      UnitOptions& depthwise = unit(name + "_depthwise", in, in);
      depthwise.groups = in;
      dilated(depthwise, head.rates[i]);
      unit(name + "_pointwise", in, channels);
    } else {
      dilated(unit(name, in, channels), head.rates[i]);
    }
  }
  const auto branches = static_cast<int64_t>(1 + head.rates.size()) + head.pooling;
  if (head.pooling) {
    unit("pooling", in, channels);
    layers.back().pooled = true;
  }
  unit("project", branches * channels, channels);
  classify("classify", channels);
  if (head.auxiliary && !network.folded) {
    const int64_t before = std::ssize(network.stages) - 1,
                  from = network.stages[before - 1].channels,
                  hidden = std::max<int64_t>(from / 4, 128);
    dilated(unit("auxiliary", from, hidden), 1);
    layers.back().stage = before;
    classify("auxiliary_classify", hidden);
    layers.back().stage = before;
  }
  return layers;
}

/// Of the stage (from 1) whose map has this stride, or would have.
int64_t stage_of_stride(const NetworkOptions& network, int64_t stride) {
  int64_t stage = 0;
  for (int64_t reached = network.stem_stride; reached < stride; reached *= 2) ++stage;
  return stage;
}

std::vector<HeadLayer> layers_of(const SsdLiteOptions& head, const NetworkOptions& network) {
  const int64_t last = std::ssize(network.stages);
  std::vector<HeadLayer> layers;
  HeadLayer at;  // on which map
  const auto unit = [&](const std::string& name, int64_t in, int64_t out) -> UnitOptions& {
    UnitOptions& added = layers.emplace_back(at).unit;
    added.name = "head." + name;
    added.in_channels = in;
    added.out_channels = out;
    added.scale = added.skip = false;
    added.folded = network.folded;
    return added;
  };
  const auto depthwise = [&](const std::string& name, int64_t channels) -> UnitOptions& {
    UnitOptions& added = unit(name, channels, channels);
    added.kernel = 3;
    added.groups = channels;
    return added;
  };
  std::vector<HeadLayer> maps;  // each level's, of which the unit counts channels
  for (int64_t level = 0, extras = 0; level < head.levels(); ++level) {
    const int64_t stage = stage_of_stride(network, head.strides[level]);
    if (stage <= last) {
      at.stage = stage;
      at.unit.out_channels = network.stages[stage - 1].channels;
    } else {
      const int64_t in = extras == 0 ? network.stages.back().channels : at.unit.out_channels;
      const int64_t out = head.extra_channels[extras++], half = std::max<int64_t>(1, out / 2);
      const std::string name = fmt::format("extra{}_", extras);
      at.stage = last;
      unit(name + "reduce", in, half);
      depthwise(name + "depthwise", half).stride = 2;
      ++at.halvings;
      unit(name + "expand", half, out);
      at.unit.out_channels = out;
    }
    maps.push_back(at);
  }
  for (int64_t level = 0; level < head.levels(); ++level) {
    at = maps[level];
    const int64_t channels = at.unit.out_channels, anchors = head.anchors(level);
    const std::string name = fmt::format("level{}_", level + 1);
    if (head.joint) depthwise(name + "depthwise", channels);
    for (const auto& [what, outputs] :
         {std::pair{"classes", network.num_classes + 1}, std::pair{"boxes", int64_t{4}}}) {
      if (!head.joint) depthwise(fmt::format("{}{}_depthwise", name, what), channels);
      unit(name + what, channels, anchors * outputs);
      layers.back().kind = HeadLayer::Kind::kConv;
    }
  }
  return layers;
}

/// What the configuration says of SSDLite, and its preset where it says nothing.
SsdLiteOptions ssd_options(const DetectConfig& detect, int64_t largest_stride) {
  SsdLiteOptions head;
  head.preset = detect.preset;
  head.joint = detect.joint;
  head.variances = detect.variances;
  const bool cvnets = detect.preset == SsdPreset::kCvnets;
  if (cvnets) head.extra_channels = {256, 128, 128, 64};
  if (!detect.extra_channels.empty()) head.extra_channels = detect.extra_channels;
  if (detect.preset == SsdPreset::kTorchvision) head.scales = {0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1};
  if (cvnets) {
    for (int64_t i = 0; i <= kSsdLevels; ++i) {
      head.scales[i] = 0.1 + 0.95 / kSsdLevels * static_cast<double>(i);
    }
  }
  if (!detect.strides.empty()) head.strides = detect.strides;
  if (head.strides.front() == 8) head.scales.insert(head.scales.begin(), head.scales.front() / 2);
  head.scales.resize(head.strides.size() + 1);
  if (!detect.scales.empty()) head.scales = detect.scales;
  const std::vector<double> ratios =
      detect.ratios.empty() ? std::vector<double>{2, 3} : detect.ratios;
  head.ratios.assign(head.strides.size(), ratios);
  if (cvnets && detect.ratios.empty()) head.ratios.back() = {2};
  const auto extras =
      std::ranges::count_if(head.strides, [=](int64_t each) { return each > largest_stride; });
  head.extra_channels.resize(extras, head.extra_channels.back());
  return head;
}

template <typename T>
std::array<T, 4> per_stage(const std::vector<T>& configured, const std::array<T, 4>& otherwise) {
  if (configured.empty()) return otherwise;
  std::array<T, 4> values;
  for (size_t i = 0; i < 4; ++i) values[i] = configured[configured.size() == 1 ? 0 : i];
  return values;
}

}  // namespace

NetworkOptions network_options(const ModelConfig& config, int64_t num_classes) {
  const VariantRow& row = variant_row(config.variant);
  const auto widths = per_stage(config.width_multipliers, row.width_multipliers);
  const auto depths = per_stage(config.depths, kDepths);
  const auto branches =
      per_stage(config.branches, {row.branches, row.branches, row.branches, row.branches});
  const auto se_blocks = per_stage(config.se_blocks, row.se_blocks);

  NetworkOptions options;
  const bool custom = !config.width_multipliers.empty() || !config.depths.empty() ||
                      !config.branches.empty() || !config.se_blocks.empty() ||
                      config.stem_stride != 2 || config.stem_branches != 1 ||
                      config.in_channels != 3 || config.output_stride != 32 ||
                      !config.scale_branch || !config.skip_branch;
  options.variant = custom ? "custom" : std::string(to_string(config.variant));
  options.in_channels = config.in_channels;
  options.num_classes = config.num_classes > 0 ? config.num_classes : num_classes;
  options.stem_channels = std::min<int64_t>(64, scaled_width(64, widths[0]));
  options.stem_stride = config.stem_stride;
  options.stem_branches = config.stem_branches;
  options.scale_branch = config.scale_branch;
  options.skip_branch = config.skip_branch;
  int64_t reached = config.stem_stride, dilation = 1;
  for (size_t i = 0; i < kBaseWidths.size(); ++i) {
    const bool strides = reached * 2 <= config.output_stride;
    (strides ? reached : dilation) *= 2;
    options.stages.push_back({scaled_width(kBaseWidths[i], widths[i]), depths[i], strides ? 2 : 1,
                              dilation, branches[i], se_blocks[i]});
  }
  return options;
}

NetworkOptions network_options(const Config& config, int64_t num_classes) {
  if (config.model.head == HeadKind::kClassifier) {
    return network_options(config.model, num_classes);
  }
  if (config.model.head == HeadKind::kSsdLite) {
    NetworkOptions options = network_options(config.model, num_classes);
    options.head = ssd_options(config.detect, options.stem_stride << options.stages.size());
    return options;
  }
  const SegmentConfig& segment = config.segment;
  ModelConfig model = config.model;
  model.output_stride = segment.output_stride;
  NetworkOptions options = network_options(model, num_classes);
  DeepLabOptions head{.channels = segment.channels,
                      .rates = segment.rates,
                      .pooling = segment.pooling,
                      .dropout = segment.dropout,
                      .separable = segment.separable,
                      .auxiliary = segment.auxiliary > 0};
  if (head.rates.empty()) {
    for (const int64_t times : {1, 2, 3}) head.rates.push_back(times * 96 / segment.output_stride);
  }
  options.head = head;
  options.skip_where_dilated = false;
  options.variant = network_options(config.model).variant;  // of stages that all stride
  return options;
}

NetworkOptions network_options(Variant variant, int64_t num_classes) {
  ModelConfig config;
  config.variant = variant;
  return network_options(config, num_classes);
}

Part part_of(std::string_view name) {
  constexpr std::string_view kStage = "stage";
  if (name.starts_with(kStage)) return static_cast<Part>(name[kStage.size()] - '0');
  return name.starts_with("head") ? Part::kHead : Part::kClassifier;
}

std::vector<UnitOptions> unit_table(const NetworkOptions& options) {
  std::vector<UnitOptions> units;
  UnitOptions stem;
  stem.name = "stage0";
  stem.in_channels = options.in_channels;
  stem.out_channels = options.stem_channels;
  stem.kernel = 3;
  stem.stride = options.stem_stride;
  stem.branches = options.stem_branches;
  stem.scale = options.scale_branch;
  stem.skip = options.skip_branch;
  stem.folded = options.folded;
  units.push_back(stem);

  int64_t channels = options.stem_channels, previous_dilation = 1;
  for (size_t s = 0; s < options.stages.size(); ++s) {
    const StageOptions& stage = options.stages[s];
    for (int64_t block = 0; block < stage.blocks; ++block) {
      UnitOptions depthwise;
      depthwise.name = fmt::format("stage{}.{}", s + 1, 2 * block);
      depthwise.in_channels = depthwise.out_channels = depthwise.groups = channels;
      depthwise.kernel = 3;
      depthwise.stride = block == 0 ? stage.stride : 1;
      depthwise.dilation = block == 0 ? previous_dilation : stage.dilation;
      depthwise.branches = stage.branches;
      depthwise.scale = options.scale_branch;
      depthwise.skip = options.skip_branch && (block > 0 || options.skip_where_dilated);
      depthwise.se = block >= stage.blocks - stage.se_blocks;
      depthwise.folded = options.folded;

      UnitOptions pointwise = depthwise;
      pointwise.skip = options.skip_branch;
      pointwise.name = fmt::format("stage{}.{}", s + 1, 2 * block + 1);
      pointwise.out_channels = stage.channels;
      pointwise.kernel = pointwise.stride = pointwise.dilation = pointwise.groups = 1;

      units.push_back(depthwise);
      units.push_back(pointwise);
      channels = stage.channels;
    }
    previous_dilation = stage.dilation;
  }
  return units;
}

std::vector<int64_t> ssd_stages(const NetworkOptions& options) {
  std::vector<int64_t> stages;
  for (const int64_t stride : std::get<SsdLiteOptions>(options.head).strides) {
    const int64_t stage = stage_of_stride(options, stride);
    if (stage <= std::ssize(options.stages)) stages.push_back(stage);
  }
  return stages;
}

std::vector<HeadLayer> head_table(const NetworkOptions& options) {
  if (options.num_classes == 0) return {};
  return std::visit([&](const auto& head) { return layers_of(head, options); }, options.head);
}

}  // namespace mobileone
