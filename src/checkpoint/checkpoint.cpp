#include "mobileone/checkpoint/checkpoint.h"

#include "mobileone/checkpoint/foreign.h"
#include "mobileone/checkpoint/numbers.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/value.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr const char* kFormat = "mobileone";
constexpr int64_t kVersion = 2;

void require_ours(const Value& file, const std::string& path) {
  const int64_t version = file.at("version").as_int();
  if (file.at("format").as_string() != kFormat || version < 1 || version > kVersion) {
    throw Error(
        "{}: has checkpoint version {} of format '{}'; this program reads versions 1 to {} of '{}'",
        path, version, file.at("format").as_string(), kVersion, kFormat);
  }
}

Value training_value(const TrainingState& training) {
  Value::Dict files;
  for (const auto& [name, length] : training.files) files.insert(name, length);
  const Value::List damaged(training.damaged.begin(), training.damaged.end());
  return Value::Dict{{"step", training.step},
                     {"epoch", training.epoch},
                     {"best", training.best},
                     {"damaged", damaged},
                     {"left_out", training.left_out},
                     {"batches", training.batches},
                     {"images", training.images},
                     {"loss_sum", training.loss_sum},
                     {"seconds", training.seconds},
                     {"data", training.data},
                     {"files", files}};
}

TrainingState to_training_state(const Value& value, const Value& momentum) {
  TrainingState training;
  training.momentum = momentum.as_tensors();
  training.step = value.at("step").as_int();
  training.epoch = value.at("epoch").as_int();
  training.best = value.at("best").as_double();
  training.batches = value.at("batches").as_int();
  training.images = value.at("images").as_int();
  training.loss_sum = value.at("loss_sum").as_double();
  training.seconds = value.at("seconds").as_double();
  training.data = value.at("data").as_string();
  for (const auto& item : value.at("files").as_dict()) {
    training.files.emplace(item.key(), item.value().as_int());
  }
  // Files of the first programs that wrote version 2 have neither of these.
  if (const auto damaged = value.find("damaged")) {
    for (const auto& position : damaged->as_list()) training.damaged.insert(position.as_int());
  }
  if (const auto left_out = value.find("left_out")) training.left_out = left_out->as_int();
  if (std::min({training.step, training.epoch, training.batches, training.images}) < 0) {
    throw Error("has a negative step, epoch or number of batches or images");
  }
  return training;
}

}  // namespace

bool Checkpoint::folded() const { return weights.contains("stage0.reparam_conv.weight"); }

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  Value::Dict metrics;
  for (const auto& [name, value] : checkpoint.metrics) metrics.insert(name, value);
  Value::List class_names(checkpoint.class_names.begin(), checkpoint.class_names.end());
  Value::Dict file{{"format", kFormat},
                   {"version", kVersion},
                   {"state_dict", checkpoint.weights},
                   {"config", to_yaml(checkpoint.config)},
                   {"class_names", class_names},
                   {"metrics", metrics}};
  if (!checkpoint.ema.is_empty()) file.insert("ema", checkpoint.ema);
  if (checkpoint.training) {
    file.insert("optimizer", Value::Dict{{"momentum", checkpoint.training->momentum}});
    file.insert("training", training_value(*checkpoint.training));
  }
  write_torch_file(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const Value file = read_weights_file(path);
  if (!file.find("format")) return read_foreign(file, path.string());
  require_ours(file, path.string());
  Checkpoint checkpoint;
  checkpoint.config = parse_config(file.at("config").as_string(), path.string() + " > config");
  checkpoint.weights = file.at("state_dict").as_tensors();
  for (const auto& name : file.at("class_names").as_list()) {
    checkpoint.class_names.push_back(name.as_string());
  }
  for (const auto& item : file.at("metrics").as_dict()) {
    checkpoint.metrics.emplace_back(item.key(), item.value().as_double());
  }
  if (const auto ema = file.find("ema")) checkpoint.ema = ema->as_tensors();
  if (const auto training = file.find("training")) {
    try {
      checkpoint.training = to_training_state(*training, file.at("optimizer").at("momentum"));
    } catch (const Error& error) {
      throw Error("{}: {}", path.string(), error.what());
    }
  }
  return checkpoint;
}

MobileOne make_network(const Checkpoint& checkpoint, const std::string& origin, bool prefer_ema,
                       Unsound unsound) {
  NetworkOptions options = network_options(checkpoint.config.model);
  options.folded = checkpoint.folded();
  const bool average = prefer_ema && !checkpoint.ema.is_empty();
  const StateDict& weights = average ? checkpoint.ema : checkpoint.weights;
  if (options.num_classes == 0) {
    throw Error("{}: has no classifier; as model.pretrained, `mobileone train` gives it one",
                origin);
  }
  require_fit(weights, state_shapes(options), origin);
  if (unsound == Unsound::kRefuse) {
    if (const auto flaw = unsound_numbers(weights)) {
      throw Error("{}: no right result can come of its weights: {}", origin, *flaw);
    }
  }
  MobileOne network(options);
  network->to(weights["linear.weight"].scalar_type());
  load_state_dict(*network, weights, origin);
  network->eval();
  return network;
}

}  // namespace mobileone
