#include "mobileone/export/interface.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "mobileone/model/counts.h"
#include "mobileone/util/error.h"
#include "mobileone/util/version.h"

namespace mobileone {
namespace {

constexpr std::string_view kImages = "uint8 [N,H,W,";  // and the channels

std::string input_form(const MobileOne& folded, Preprocessing preprocessing) {
  const int64_t channels = folded->options.in_channels;
  if (preprocessing == Preprocessing::kInside) return fmt::format("{}{}]", kImages, channels);
  const bool half = folded->parameters().front().scalar_type() == torch::kHalf;
  return fmt::format("{} [N,{},H,W]", to_string(half ? ExportType::kFloat16 : ExportType::kFloat32),
                     channels);
}

}  // namespace

MobileOne fold_for_export(const MobileOne& network, ExportType type, const std::string& origin) {
  torch::NoGradGuard no_grad;
  MobileOne folded = fold(network);
  folded->to(torch::kFloat32);
  if (type == ExportType::kFloat32) return folded;
  for (const auto& item : state_dict(*folded)) {
    const auto finite = item.value().isfinite();
    if (torch::equal(item.value().to(torch::kHalf).isfinite(), finite)) continue;
    const double largest = item.value().where(finite, 0).abs().max().item<double>();
    throw Error(
        "{}: {} has values up to {:.3g}, of which float16 holds none above 65504; export with "
        "--dtype float32",
        origin, item.key(), largest);
  }
  folded->to(torch::kHalf);
  return folded;
}

LevelNorm level_norm(const DataConfig& data) {
  const auto levels = [](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat64).mul(255).to(torch::kFloat32).view({-1, 1, 1});
  };
  return {levels(data.mean), levels(data.std)};
}

std::string description(const MobileOne& folded, const Checkpoint& checkpoint,
                        const std::string& source, Preprocessing preprocessing) {
  const DataConfig& data = checkpoint.config.data;
  const LayerCounts counts = total_counts(folded->options, data.eval_crop);
  nlohmann::ordered_json json;
  json["format"] = "mobileone";
  json["variant"] = folded->options.variant;
  json["class_names"] = checkpoint.class_names;
  json["num_classes"] = folded->options.num_classes;
  json["input"] = input_form(folded, preprocessing);
  json["output"] = preprocessing == Preprocessing::kInside ? "probabilities" : "logits";
  json["preprocessing"] = {{"channels", data.mean.size() == 1 ? "grey" : "RGB"},
                           {"exif_orientation", data.exif_orientation},
                           {"resize_short_side", data.eval_resize},
                           {"interpolation", to_string(data.interpolation)},
                           {"antialias", true},
                           {"center_crop", data.eval_crop},
                           {"scale", "divide by 255"},
                           {"mean", data.mean},
                           {"std", data.std}};
  json["parameters"] = counts.parameters;
  json["macs"] = counts.macs;
  json["activations"] = counts.activations;
  json["metrics"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : checkpoint.metrics) json["metrics"][name] = value;
  json["source"] = source;
  json["program"] = fmt::format("mobileone {}", version());
  // Names and paths may be any bytes.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

ExportInterface described_interface(const std::string& description) {
  const auto json = nlohmann::json::parse(description, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("input") || !json["input"].is_string()) return {};
  const auto input = json["input"].get<std::string>();
  return {input.starts_with(to_string(ExportType::kFloat16)) ? ExportType::kFloat16
                                                             : ExportType::kFloat32,
          input.starts_with(kImages) ? Preprocessing::kInside : Preprocessing::kOutside};
}

std::vector<std::string> described_class_names(const std::string& description) {
  const auto json = nlohmann::json::parse(description, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> names;
  if (!json.is_object() || !json.contains("class_names")) return names;
  for (const auto& name : json["class_names"]) {
    names.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  }
  return names;
}

}  // namespace mobileone
