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
  for (const auto& unit : unit_table(options)) {
    layers.push_back(unit_counts(unit, size));
    size = unit.output_size(size);
  }
  if (options.num_classes > 0) {
    const int64_t in = layers.back().channels, out = options.num_classes;
    layers.push_back({"linear", "linear", out, 1, 1, 1, in * out + out, in * out, out});
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
