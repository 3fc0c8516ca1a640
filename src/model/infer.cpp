#include "mobileone/model/infer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr std::array<double, 4> kWidthUnits = {64, 128, 256, 512};

/// What the tensors of one unit tell.
struct SeenUnit {
  int64_t branches = 0;
  bool se = false;
  std::vector<int64_t> channels;  ///< first extent of every tensor that has the unit's channels
};

/// By index in its stage.
using SeenStage = std::map<int64_t, SeenUnit>;

/// Takes the word before the next dot.
std::string_view next_word(std::string_view& text) {
  const auto dot = std::min(text.find('.'), text.size());
  const auto word = text.substr(0, dot);
  text.remove_prefix(std::min(dot + 1, text.size()));
  return word;
}

std::optional<int64_t> to_index(std::string_view word) {
  int64_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || end != word.data() + word.size() || index < 0) return std::nullopt;
  return index;
}

void look_at(std::string_view name, const torch::Tensor& tensor, std::array<SeenStage, 5>& stages) {
  std::string_view rest = name;
  std::string_view stage_word = next_word(rest);
  if (!stage_word.starts_with("stage")) return;
  stage_word.remove_prefix(5);
  const auto stage = to_index(stage_word);
  if (!stage || *stage > 4) return;
  const auto index = *stage == 0 ? std::optional<int64_t>(0) : to_index(next_word(rest));
  if (!index) return;
  SeenUnit& unit = stages[*stage][*index];
  const auto part = next_word(rest);
  unit.branches += part == "rbr_conv" && rest.ends_with(".conv.weight");
  unit.se = unit.se || part == "se";
  if (part != "se" && tensor.dim() > 0) unit.channels.push_back(tensor.size(0));
}

/// 0 of none.
int64_t most_common(const std::vector<int64_t>& values) {
  std::map<int64_t, int64_t> counts;
  for (const int64_t value : values) ++counts[value];
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? 0 : most->first;
}

int64_t count_blocks(const SeenStage& units, int64_t stage) {
  if (units.empty()) throw Error("is no MobileOne: it has no stage {}", stage);
  const auto present = static_cast<int64_t>(units.size());
  const int64_t last = units.rbegin()->first;
  if (last / 2 >= present) {
    throw Error("is no MobileOne: of stage {} it has {} units, but one numbered {}", stage, present,
                last);
  }
  return last / 2 + 1;
}

void add_stage(ModelConfig& config, const SeenStage& units, int64_t stage) {
  std::vector<int64_t> channels, branches;
  std::set<int64_t> se_blocks;
  for (const auto& [index, unit] : units) {
    const bool pointwise = index % 2 == 1;
    if (pointwise) channels.insert(channels.end(), unit.channels.begin(), unit.channels.end());
    branches.push_back(unit.branches);
    if (unit.se) se_blocks.insert(index / 2);
  }
  config.depths.push_back(count_blocks(units, stage));
  config.width_multipliers.push_back(static_cast<double>(most_common(channels)) /
                                     kWidthUnits[stage - 1]);
  config.branches.push_back(std::max<int64_t>(1, most_common(branches)));
  config.se_blocks.push_back(static_cast<int64_t>(se_blocks.size()));
}

/// The extent of a tensor that should have `dimensions` of them.
std::optional<int64_t> extent(const StateDict& state, const char* name, int64_t dimensions,
                              int64_t dimension) {
  const auto* tensor = state.find(name);
  if (tensor == nullptr || tensor->dim() != dimensions) return std::nullopt;
  return tensor->size(dimension);
}

/// Throws Error if a number is out of its range in the configuration.
void check_ranges(ModelConfig config) {
  config.visit([]<typename F>(std::string_view name, F& field, const FieldInfo& info) {
    const auto check = [&](auto value) {
      const auto number = static_cast<double>(value);
      if (number >= info.min && number <= info.max) return;
      throw Error("is no MobileOne: {} would be {}, expected {} to {}", name, value, info.min,
                  info.max);
    };
    if constexpr (std::is_same_v<F, int64_t>) {
      check(field);
    } else if constexpr (std::is_same_v<F, std::vector<int64_t>> ||
                         std::is_same_v<F, std::vector<double>>) {
      for (const auto value : field) check(value);
    }
  });
}

/// The published variant that has these stages, if there is one.
std::optional<Variant> find_variant(ModelConfig config, bool folded) {
  if (folded) config.branches.clear();
  for (const auto& entry : enum_names(Variant{})) {
    config.variant = entry.value;
    if (network_options(config).stages == network_options(entry.value).stages) return entry.value;
  }
  return std::nullopt;
}

bool has_part(const StateDict& state, std::string_view part) {
  return std::any_of(state.begin(), state.end(),
                     [&](const auto& item) { return item.key().find(part) != std::string::npos; });
}

}  // namespace

bool is_folded(const StateDict& state) { return !has_part(state, ".rbr_"); }

ModelConfig infer_model(const StateDict& state) {
  std::array<SeenStage, 5> stages;
  for (const auto& item : state) look_at(item.key(), item.value(), stages);
  const bool folded = is_folded(state);

  ModelConfig config;
  for (int64_t stage = 1; stage <= 4; ++stage) add_stage(config, stages[stage], stage);
  const auto in_channels =
      extent(state, folded ? "stage0.reparam_conv.weight" : "stage0.rbr_conv.0.conv.weight", 4, 1);
  config.in_channels = in_channels.value_or(config.in_channels);
  config.stem_branches = std::max<int64_t>(1, stages[0][0].branches);
  config.scale_branch = folded || has_part(state, ".rbr_scale.");
  config.skip_branch = folded || has_part(state, ".rbr_skip.");
  if (has_part(state, "head.classify.")) {
    config.head = HeadKind::kDeepLabV3;
    config.num_classes = extent(state, "head.classify.weight", 4, 0).value_or(0);
  } else if (has_part(state, "head.level1_classes.")) {
    config.head = HeadKind::kSsdLite;
    const int64_t classes = extent(state, "head.level1_classes.weight", 4, 0).value_or(0);
    const int64_t offsets = extent(state, "head.level1_boxes.weight", 4, 0).value_or(0);
    config.num_classes = offsets > 0 ? classes * 4 / offsets - 1 : 0;
  } else {
    config.num_classes = extent(state, "linear.weight", 2, 0).value_or(0);
  }
  check_ranges(config);

  if (const auto variant = find_variant(config, folded)) {
    config.variant = *variant;
    config.width_multipliers.clear();
    config.depths = config.branches = config.se_blocks = {};
  }
  return config;
}

SegmentConfig infer_segment(const StateDict& state) {
  SegmentConfig segment;
  segment.channels = extent(state, "head.classify.weight", 4, 1).value_or(segment.channels);
  segment.pooling = has_part(state, "head.pooling.");
  segment.separable = has_part(state, "head.aspp1_depthwise.");
  if (!has_part(state, "head.auxiliary.")) segment.auxiliary = 0;
  return segment;
}

DetectConfig infer_detect(const StateDict& state) {
  constexpr int64_t kMostLevels = 9;  // to the largest stride that there may be
  DetectConfig detect;
  int64_t levels = 0;
  while (has_part(state, fmt::format("head.level{}_classes.", levels + 1))) ++levels;
  for (int64_t i = 1; i <= levels; ++i) {
    for (const char* own : {"reparam_conv", "rbr_conv.0.conv"}) {
      const std::string weight = fmt::format("head.extra{}_expand.{}.weight", i, own);
      const auto channels = extent(state, weight.c_str(), 4, 0);
      if (channels) detect.extra_channels.push_back(*channels);
    }
  }
  detect.joint = has_part(state, "head.level1_depthwise.");
  const int64_t of_stages = levels - std::ssize(detect.extra_channels);
  if ((of_stages == 2 || of_stages == 3) && levels <= kMostLevels) {
    for (int64_t i = 0; i < levels; ++i) detect.strides.push_back((64 >> of_stages) << i);
  }
  return detect;
}

}  // namespace mobileone
