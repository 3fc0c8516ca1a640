#include "mobileone/checkpoint/checkpoint.h"

#include <cmath>

#include "mobileone/checkpoint/foreign.h"
#include "mobileone/checkpoint/numbers.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/value.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

constexpr const char* kFormat = "mobileone";
constexpr int64_t kVersion = 3;
/// Before it averages had their full decay from the start, and no key said so.
constexpr int64_t kFirstWithWarmup = 3;

/// The entry that holds a set of weights.
const char* entry_of(Weights weights) { return weights == Weights::kRaw ? "state_dict" : "ema"; }

Weights to_weights(const Value& entry) {
  return entry.as_string() == "ema" ? Weights::kAverage : Weights::kRaw;
}

/// Returns the file's version.
int64_t require_ours(const Value& file, const std::string& path) {
  const int64_t version = file.at("version").as_int();
  if (file.at("format").as_string() != kFormat || version < 1 || version > kVersion) {
    throw Error(
        "{}: has checkpoint version {} of format '{}'; this program reads versions 1 to {} of '{}'",
        path, version, file.at("format").as_string(), kVersion, kFormat);
  }
  return version;
}

double metric(const Metrics& metrics, std::string_view name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  return NAN;
}

/// Of the two sets of weights, by the first metric after the loss; empty where nothing compared
/// them.
std::string comparison(const Metrics& metrics) {
  for (const auto& [key, raw] : metrics) {
    if (!key.starts_with("val_") || key == "val_loss") continue;
    const std::string name = key.substr(4);
    const double average = metric(metrics, "ema_" + name);
    if (std::isnan(raw) || std::isnan(average)) return "";
    return fmt::format(": {:.2f} % raw against {:.2f} % {} in its last validation", raw, average,
                       name == "top1" ? "top-1" : name);
  }
  return "";
}

/// The chosen set, with a word on it where there are two and nobody said which.
Weights choose_aloud(const Checkpoint& checkpoint, const std::string& origin,
                     std::optional<Weights> wanted) {
  const Weights chosen = choose_weights(checkpoint, origin, wanted);
  if (!wanted && !checkpoint.ema.is_empty()) {
    log::info("{}: its {} weights are taken{}", origin, to_string(chosen),
              comparison(checkpoint.metrics));
  }
  return chosen;
}

Value value_of(int64_t field) { return field; }
Value value_of(double field) { return field; }
Value value_of(const std::string& field) { return field; }
Value value_of(Weights field) { return entry_of(field); }
Value value_of(const std::set<int64_t>& field) { return Value::List(field.begin(), field.end()); }
Value value_of(const std::map<std::string, int64_t>& field) {
  Value::Dict dict;
  for (const auto& [name, length] : field) dict.insert(name, length);
  return dict;
}

void read(const Value& value, int64_t& field) { field = value.as_int(); }
void read(const Value& value, double& field) { field = value.as_double(); }
void read(const Value& value, std::string& field) { field = value.as_string(); }
void read(const Value& value, Weights& field) { field = to_weights(value); }
void read(const Value& value, std::set<int64_t>& field) {
  for (const auto& position : value.as_list()) field.insert(position.as_int());
}
void read(const Value& value, std::map<std::string, int64_t>& field) {
  for (const auto& item : value.as_dict()) field.emplace(item.key(), item.value().as_int());
}

Value training_value(TrainingState training) {
  Value::Dict dict;
  training.visit([&](const char* name, const auto& field) { dict.insert(name, value_of(field)); });
  return dict;
}

/// Files of earlier programs lack some fields, but not the first one.
TrainingState to_training_state(const Value& value, const Value& optimizer) {
  TrainingState training;
  for (const auto& item : optimizer.as_dict()) {
    training.optimizer.emplace(item.key(), item.value().as_tensors());
  }
  training.step = value.at("step").as_int();
  training.visit([&](const char* name, auto& field) {
    if (const auto found = value.find(name)) read(*found, field);
  });
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
  if (checkpoint.better) file.insert("better", entry_of(*checkpoint.better));
  if (checkpoint.training) {
    Value::Dict optimizer;
    for (const auto& [kind, tensors] : checkpoint.training->optimizer) {
      optimizer.insert(kind, tensors);
    }
    file.insert("optimizer", optimizer);
    file.insert("training", training_value(*checkpoint.training));
  }
  write_torch_file(path, file);
}

std::filesystem::path network_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  for (const char* name : {"best.pth", "last.pth"}) {
    if (std::filesystem::exists(path / name, error)) return path / name;
  }
  return path;
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const Value file = read_weights_file(path);
  if (!file.find("format")) return read_foreign(file, path.string());
  const int64_t version = require_ours(file, path.string());
  Checkpoint checkpoint;
  checkpoint.config = parse_config(file.at("config").as_string(), path.string() + " > config");
  if (version < kFirstWithWarmup) checkpoint.config.ema.warmup = false;
  checkpoint.weights = file.at("state_dict").as_tensors();
  for (const auto& name : file.at("class_names").as_list()) {
    checkpoint.class_names.push_back(name.as_string());
  }
  for (const auto& item : file.at("metrics").as_dict()) {
    checkpoint.metrics.emplace_back(item.key(), item.value().as_double());
  }
  if (const auto ema = file.find("ema")) checkpoint.ema = ema->as_tensors();
  if (const auto better = file.find("better")) checkpoint.better = to_weights(*better);
  if (const auto training = file.find("training")) {
    try {
      checkpoint.training = to_training_state(*training, file.at("optimizer"));
    } catch (const Error& error) {
      throw Error("{}: {}", path.string(), error.what());
    }
  }
  return checkpoint;
}

Weights choose_weights(const Checkpoint& checkpoint, const std::string& origin,
                       std::optional<Weights> wanted) {
  if (wanted == Weights::kAverage && checkpoint.ema.is_empty()) {
    throw Error("{}: holds no moving average of its weights; leave out --ema", origin);
  }
  if (wanted) return *wanted;
  if (checkpoint.ema.is_empty()) return Weights::kRaw;
  if (checkpoint.better) return *checkpoint.better;
  const Metrics& metrics = checkpoint.metrics;
  if (metric(metrics, "val_top1") > metric(metrics, "ema_top1")) return Weights::kRaw;
  constexpr double kForgotten = 0.01;
  const bool unripe =
      checkpoint.training && std::isnan(metric(metrics, "ema_top1")) &&
      share_of_first_weights(checkpoint.config, checkpoint.training->step) > kForgotten;
  return unripe ? Weights::kRaw : Weights::kAverage;
}

Weights keep_one_set(Checkpoint& checkpoint, const std::string& origin,
                     std::optional<Weights> wanted) {
  const Weights chosen = choose_aloud(checkpoint, origin, wanted);
  if (chosen == Weights::kAverage) checkpoint.weights = checkpoint.ema;
  checkpoint.ema.clear();
  checkpoint.better.reset();
  checkpoint.training.reset();
  return chosen;
}

MobileOne make_network(const Checkpoint& checkpoint, const std::string& origin,
                       std::optional<Weights> wanted, Unsound unsound) {
  NetworkOptions options = network_options(checkpoint.config, /*num_classes=*/0);
  options.folded = checkpoint.folded();
  if (options.num_classes == 0) {
    throw Error("{}: has no classifier; as model.pretrained, `mobileone train` gives it one",
                origin);
  }
  const Weights chosen = choose_aloud(checkpoint, origin, wanted);
  const StateDict& weights = chosen == Weights::kAverage ? checkpoint.ema : checkpoint.weights;
  require_fit(weights, state_shapes(options), origin);
  if (unsound == Unsound::kRefuse) {
    if (const auto flaw = unsound_numbers(weights)) {
      throw Error("{}: no right result can come of its weights: {}", origin, *flaw);
    }
  }
  MobileOne network(options);
  network->to(weights.front().value().scalar_type());
  load_state_dict(*network, weights, origin);
  network->eval();
  return network;
}

}  // namespace mobileone
