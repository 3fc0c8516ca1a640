#include "mobileone/checkpoint/foreign.h"

#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "find_weights.h"
#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/data/imagenet.h"
#include "mobileone/model/infer.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

using json = nlohmann::json;

/// The tensors in the network's order, all of which must be there; those of a head only where
/// `config.model` has classes.
StateDict fitted(Recognized& found, const Config& config, const std::string& origin) {
  NetworkOptions options = network_options(config, /*num_classes=*/0);
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
    if (checkpoint.config.model.head == HeadKind::kDeepLabV3) {
      checkpoint.config.segment = infer_segment(found.state);
    } else if (checkpoint.config.model.head == HeadKind::kSsdLite) {
      checkpoint.config.detect = infer_detect(found.state);
    }
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
  config.segment = checkpoint.config.segment;
  config.data = checkpoint.config.data;
  config.data.train = config.data.val = "";  // of no use elsewhere
  const NetworkOptions network = network_options(config);
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
  auto [network, average] = find_weights(file, origin);
  Checkpoint checkpoint;
  describe(checkpoint, network.found, origin);
  if (const auto metadata = file.find(kMetadataEntry)) restore(checkpoint, *metadata, origin);
  checkpoint.weights = fitted(network.found, checkpoint.config, network.place);
  if (average) {
    checkpoint.ema =
        fitted(average->found, checkpoint.config, average->place + " (its moving average)");
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
