#include "mobileone/checkpoint/foreign.h"

#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/data/imagenet.h"
#include "mobileone/model/infer.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

using json = nlohmann::json;

constexpr std::array<const char*, 2> kWeightsEntries = {"state_dict", "model"};
constexpr std::array<const char*, 3> kAverageEntries = {"state_dict_ema", "model_ema", "ema"};
constexpr const char* kMetadataEntry = "__metadata__";
constexpr const char* kConfigKey = "mobileone_config";
constexpr const char* kClassNamesKey = "mobileone_class_names";

/// The first of these entries that is a dict with something in it.
template <typename Names>
std::optional<Value> find_dict(const Value& file, const Names& names) {
  for (const char* name : names) {
    auto entry = file.find(name);
    if (entry && entry->kind() == Value::Kind::kDict && !entry->as_dict().is_empty()) return entry;
  }
  return std::nullopt;
}

/// The file itself as a state dict.
Value bare_state_dict(const Value& file, const std::string& origin) {
  Value::Dict tensors;
  for (const auto& item : file.as_dict()) {
    if (item.key() == kMetadataEntry) continue;
    if (item.value().kind() != Value::Kind::kTensor) {
      throw Error(
          "{}: holds no weights that are known: expected a dict of tensors, or one under '{}' or "
          "'{}'; its entry '{}' is neither",
          origin, fmt::join(kWeightsEntries, "', '"), fmt::join(kAverageEntries, "', '"),
          item.key());
    }
    tensors.insert(item.key(), item.value());
  }
  return Value(tensors).named(origin);
}

Recognized recognize(const Value& dict, const std::string& origin) {
  const StateDict tensors = dict.as_tensors();
  if (auto found = mobileone::recognize(tensors)) return *std::move(found);
  throw Error("{}: is no MobileOne: {}", origin,
              tensors.is_empty()
                  ? "it holds no tensors"
                  : fmt::format("none of its {} tensors has a name of one ('{}', ...)",
                                tensors.size(), tensors.front().key()));
}

/// The tensors in the network's order, all of which must be there.
StateDict fitted(Recognized& found, const ModelConfig& model, const std::string& origin) {
  NetworkOptions options = network_options(model);
  options.folded = is_folded(found.state);
  const StateShapes expected = state_shapes(options);
  for (const auto& item : expected) {
    const bool counter = item.value().empty();
    if (counter && !found.state.contains(item.key())) {
      found.state.insert(item.key(), at::zeros({}, at::kLong));
    }
  }
  require_fit(found.state, expected, origin,
              [&](const std::string& name) { return found.spell(name); });
  StateDict state;
  for (const auto& item : expected) {
    const at::Tensor& tensor = found.state[item.key()];
    if (!item.value().empty() && !tensor.is_floating_point()) {
      throw Error("{}: {} is of dtype {}, expected a floating-point one", origin,
                  found.spell(item.key()), c10::toString(tensor.scalar_type()));
    }
    state.insert(item.key(), tensor);
  }
  return state;
}

void describe(Checkpoint& checkpoint, const Recognized& found, const std::string& origin) {
  try {
    checkpoint.config.model = infer_model(found.state);
  } catch (const Error& error) {
    throw Error("{}: {}", origin, error.what());
  }
  checkpoint.config.data = published_data(found.dialect, checkpoint.config.model.in_channels);
  const auto& names = imagenet_classes().names;
  if (checkpoint.config.model.num_classes == static_cast<int64_t>(names.size())) {
    checkpoint.class_names = names;
  }
}

/// What `metadata_of` wrote, if it is there.
void restore(Checkpoint& checkpoint, const Value& metadata, const std::string& origin) {
  if (const auto config = metadata.find(kConfigKey)) {
    checkpoint.config = parse_config(config->as_string(), origin + " > " + kConfigKey);
  }
  if (const auto names = metadata.find(kClassNamesKey)) {
    try {
      checkpoint.class_names = json::parse(names->as_string()).get<std::vector<std::string>>();
    } catch (const json::exception&) {
      throw Error("{}: {} in its metadata is no JSON list of texts", origin, kClassNamesKey);
    }
  }
}

Metadata metadata_of(const Checkpoint& checkpoint, Dialect dialect) {
  Config config;
  config.model = checkpoint.config.model;
  config.data = checkpoint.config.data;
  config.data.train = config.data.val = "";  // of no use elsewhere
  const NetworkOptions network = network_options(config.model);
  Metadata metadata{{"format", "pt"},
                    {"architecture", "mobileone_" + network.variant},
                    {"dialect", std::string(to_string(dialect))},
                    {"num_classes", std::to_string(network.num_classes)},
                    {kConfigKey, to_yaml(config)}};
  if (!checkpoint.class_names.empty()) {
    // Names may be any bytes, metadata only UTF-8.
    metadata[kClassNamesKey] =
        json(checkpoint.class_names).dump(-1, ' ', true, json::error_handler_t::replace);
  }
  return metadata;
}

}  // namespace

DataConfig published_data(Dialect dialect, int64_t channels) {
  DataConfig data;
  if (dialect == Dialect::kCoreNet) {
    data.mean = {0, 0, 0};
    data.std = {1, 1, 1};
  }
  if (channels == 1) {
    for (auto* values : {&data.mean, &data.std}) {
      *values = {std::reduce(values->begin(), values->end()) / 3};
    }
  }
  return data;
}

Checkpoint read_foreign(const Value& file, const std::string& origin) {
  auto weights = find_dict(file, kWeightsEntries), average = find_dict(file, kAverageEntries);
  if (!weights) weights = std::exchange(average, std::nullopt);
  if (!weights) weights = bare_state_dict(file, origin);

  Checkpoint checkpoint;
  Recognized found = recognize(*weights, origin);
  describe(checkpoint, found, origin);
  if (const auto metadata = file.find(kMetadataEntry)) restore(checkpoint, *metadata, origin);
  checkpoint.weights = fitted(found, checkpoint.config.model, origin);
  if (average) {
    const std::string place = origin + " (its moving average)";
    Recognized averaged = recognize(*average, place);
    checkpoint.ema = fitted(averaged, checkpoint.config.model, place);
  }
  return checkpoint;
}

void write_torch_weights(const std::filesystem::path& path, const Checkpoint& checkpoint,
                         Dialect dialect) {
  write_torch_file(path, to_dialect(checkpoint.weights, dialect));
}

void write_safetensors_weights(const std::filesystem::path& path, const Checkpoint& checkpoint,
                               Dialect dialect) {
  write_safetensors(path, to_dialect(checkpoint.weights, dialect),
                    metadata_of(checkpoint, dialect));
}

}  // namespace mobileone
