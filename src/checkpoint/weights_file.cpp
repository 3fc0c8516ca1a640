#include "mobileone/checkpoint/weights_file.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

/// Its header, a JSON object, follows eight bytes that give the header's length.
bool is_safetensors(const std::filesystem::path& path) {
  char start[9] = "";
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  return start[8] == '{';
}

Value read_safetensors_file(const std::filesystem::path& path) {
  Metadata metadata;
  Value::Dict file;
  for (const auto& tensor : read_safetensors(path, &metadata)) {
    file.insert(tensor.key(), tensor.value());
  }
  if (!metadata.empty()) {
    Value::Dict texts;
    for (const auto& [key, text] : metadata) texts.insert(key, text);
    file.insert(kMetadataEntry, texts);
  }
  return Value(file).named(path.string());
}

/// The class names in a description as a JSON list of texts; an empty list if it has none.
std::string class_names_of(const std::string& description) {
  const auto json = nlohmann::json::parse(description, nullptr, /*allow_exceptions=*/false);
  const auto names = json.is_object() ? json.find("class_names") : json.end();
  return names == json.end() ? "[]" : names->dump();
}

/// Tensors of exported files that are constants of what is put before and after a network.
constexpr std::array<std::string_view, 5> kNoWeights = {"mean_levels", "std_levels",
                                                        "anchor_centers", "anchor_sides", "limits"};

/// Weights, and what else is told of a network that `mobileone export` wrote.
Value read_torchscript_file(const std::filesystem::path& path) {
  const auto extra_files = read_torchscript_extra_files(path);
  const Value weights = read_torchscript_weights(path);
  const auto config = extra_files.find(kConfigFile),
             description = extra_files.find(kDescriptionFile);
  if (config == extra_files.end() || description == extra_files.end()) return weights;
  Value::Dict file;
  for (const auto& item : weights.as_dict()) {
    if (std::ranges::count(kNoWeights, item.key()) == 0) file.insert(item.key(), item.value());
  }
  file.insert(kMetadataEntry, Value::Dict{{kConfigKey, config->second},
                                          {kClassNamesKey, class_names_of(description->second)}});
  return Value(file).named(path.string());
}

}  // namespace

Value read_weights_file(const std::filesystem::path& path) {
  require_file(path, "file");
  if (is_safetensors(path)) return read_safetensors_file(path);
  return is_torchscript_file(path) ? read_torchscript_file(path) : read_torch_file(path);
}

}  // namespace mobileone
