#include "mobileone/model/counts.h"

#include <fmt/format.h>

#include "mobileone/model/mobileone.h"

namespace mobileone {
namespace {

std::string unit_kind(const UnitOptions& unit) {
  const char* form = unit.groups > 1 ? "depthwise" : unit.kernel == 1 ? "pointwise" : "conv";
  return fmt::format("{} {}x{}{}", form, unit.kernel, unit.kernel, unit.se ? " + SE" : "");
}

LayerCounts unit_counts(const UnitOptions& unit, int64_t input_size) {
  const int64_t size = unit.output_size(input_size), area = size * size;
  const int64_t out = unit.out_channels, per_group = unit.in_channels / unit.groups;
  const int64_t kernel_weights = out * per_group * unit.kernel * unit.kernel;
  LayerCounts counts{unit.name, unit_kind(unit), out, size, size};
  const auto add_conv = [&](int64_t weights, int64_t others) {
    ++counts.branches;
    counts.parameters += weights + others;
    counts.macs += weights * area;
    counts.activations += weights > 0 ? out * area : 0;
  };
  if (unit.folded) {
    add_conv(kernel_weights, out);
  } else {
    for (int64_t i = 0; i < unit.branches; ++i) add_conv(kernel_weights, 2 * out);
    if (unit.has_scale()) add_conv(out * per_group, 2 * out);
    if (unit.has_skip()) add_conv(0, 2 * out);
  }
  if (unit.se) {
    const int64_t hidden = squeeze_excite_hidden(out);
    counts.parameters += 2 * out * hidden + hidden + out;
    counts.macs += 2 * out * hidden;
    counts.activations += hidden + out;
  }
  return counts;
}

}  // namespace

std::vector<LayerCounts> layer_counts(const NetworkOptions& options, int64_t size) {
  std::vector<LayerCounts> layers;
  std::vector<int64_t> sizes;  // of the stem's map, then of each stage's
  for (const auto& unit : unit_table(options)) {
    layers.push_back(unit_counts(unit, size));
    size = unit.output_size(size);
    sizes.resize(static_cast<size_t>(part_of(unit.name)) + 1);
    sizes.back() = size;
  }
  for (const auto& [unit, kind, stage, pooled] : head_table(options)) {
    const int64_t own = pooled ? 1 : sizes[stage];
    if (kind == HeadLayer::Kind::kUnit) {
      layers.push_back(unit_counts(unit, own));
    } else {
      const int64_t in = unit.in_channels, out = unit.out_channels, area = own * own;
      const char* form = kind == HeadLayer::Kind::kLinear ? "linear" : "pointwise 1x1";
      layers.push_back(
          {unit.name, form, out, own, own, 1, in * out + out, in * out * area, out * area});
    }
  }
  return layers;
}

LayerCounts total_counts(const NetworkOptions& options, int64_t size) {
  LayerCounts total;
  total.name = "total";
  for (const auto& layer : layer_counts(options, size)) {
    total.parameters += layer.parameters;
    total.macs += layer.macs;
    total.activations += layer.activations;
  }
  return total;
}

}  // namespace mobileone
