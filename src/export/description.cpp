#include "mobileone/export/description.h"

#include <nlohmann/json.hpp>

namespace mobileone {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDetection = "detection";

std::string input_text(const Description& d) {
  const size_t channels = d.preparation.mean.size();
  return d.interface.preprocessing == Preprocessing::kInside
             ? fmt::format("uint8 [N,H,W,{}]", channels)
             : fmt::format("{} [N,{},H,W]", to_string(d.interface.type), channels);
}

ExportInterface interface_of(const std::string& input) {
  const std::string element = input.substr(0, input.find(' '));
  return {from_string<ExportType>(element).value_or(ExportType::kFloat32),
          element == "uint8" ? Preprocessing::kInside : Preprocessing::kOutside};
}

/// Leaves `field` as it is where `object` has nothing of its type under `key`.
template <typename T>
void read(const Json& object, const char* key, T& field) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) return;
  try {
    field = found->get<T>();
  } catch (const Json::exception&) {
    // Nothing that we wrote.
  }
}

Preparation preparation_of(const Json& json) {
  Preparation p;
  read(json, "exif_orientation", p.exif_orientation);
  read(json, "resize_short_side", p.resize);
  std::string interpolation;
  read(json, "interpolation", interpolation);
  p.interpolation = from_string<Interpolation>(interpolation).value_or(p.interpolation);
  read(json, "center_crop", p.crop);
  read(json, "mean", p.mean);
  read(json, "std", p.std);
  read(json, "letterbox", p.letterbox);
  return p;
}

}  // namespace

std::string to_json(const Description& d) {
  const Preparation& p = d.preparation;
  Json json;
  json["format"] = "mobileone";
  json["task"] = d.task;
  json["variant"] = d.variant;
  json["class_names"] = d.class_names;
  json["num_classes"] = d.num_classes;
  json["input"] = input_text(d);
  json["output"] = d.output;
  json["preprocessing"] = {{"channels", p.mean.size() == 1 ? "grey" : "RGB"},
                           {"exif_orientation", p.exif_orientation},
                           {"resize_short_side", p.resize},
                           {"interpolation", to_string(p.interpolation)},
                           {"antialias", true},
                           {"center_crop", p.crop},
                           {"scale", "divide by 255"},
                           {"mean", p.mean},
                           {"std", p.std}};
  if (d.task == kDetection) json["preprocessing"]["letterbox"] = p.letterbox;
  json["parameters"] = d.parameters;
  json["macs"] = d.macs;
  json["activations"] = d.activations;
  json["metrics"] = Json::object();
  for (const auto& [name, value] : d.metrics) json["metrics"][name] = value;
  json["source"] = d.source;
  json["program"] = d.program;
  // Names and paths may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Description from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  Description d;
  if (!json.is_object()) return d;
  read(json, "task", d.task);
  read(json, "variant", d.variant);
  Json names, preprocessing, metrics;
  read(json, "class_names", names);
  for (const auto& name : names.is_array() ? names : Json::array()) {
    d.class_names.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  }
  read(json, "num_classes", d.num_classes);
  std::string input;
  read(json, "input", input);
  d.interface = interface_of(input);
  read(json, "output", d.output);
  read(json, "preprocessing", preprocessing);
  d.preparation = preparation_of(preprocessing);
  read(json, "parameters", d.parameters);
  read(json, "macs", d.macs);
  read(json, "activations", d.activations);
  read(json, "metrics", metrics);
  for (const auto& [name, value] : metrics.items()) {
    if (metrics.is_object() && value.is_number()) d.metrics.emplace_back(name, value.get<double>());
  }
  read(json, "source", d.source);
  read(json, "program", d.program);
  return d;
}

}  // namespace mobileone
