#include "mobileone/model/counts.h"

#include <algorithm>

#include "mobileone/model/lower.h"

namespace mobileone {
namespace {

/// What a unit's branches have beyond the one convolution that they fold into.
void add_branches(LayerCounts& counts, const UnitOptions& unit) {
  const int64_t out = unit.out_channels, area = counts.height * counts.width;
  const int64_t kernel_weights = graph::element_count(unit.weight_shape());
  const int64_t scale_weights = kernel_weights / (unit.kernel * unit.kernel);
  const int64_t scales = unit.has_scale() ? 1 : 0, skips = unit.has_skip() ? 1 : 0;
  const int64_t more_weights = (unit.branches - 1) * kernel_weights + scales * scale_weights;
  counts.branches = unit.branches + scales + skips;
  counts.parameters += more_weights + counts.branches * 2 * out - out;  // norms, but no bias
  counts.macs += more_weights * area;
  counts.activations += (unit.branches - 1 + scales) * out * area;
}

}  // namespace

std::vector<LayerCounts> layer_counts(const NetworkOptions& options, int64_t size) {
  std::vector<LayerCounts> layers;
  for (auto& counts : graph::count(lower(options), size, size)) layers.push_back({counts});
  if (options.folded) return layers;
  std::vector<UnitOptions> units = unit_table(options);
  for (const auto& layer : head_table(options)) {
    if (layer.kind == HeadLayer::Kind::kUnit) units.push_back(layer.unit);
  }
  auto row = layers.begin();
  for (const auto& unit : units) {
    row =
        std::find_if(row, layers.end(), [&](const auto& layer) { return layer.name == unit.name; });
    add_branches(*row, unit);
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
