#include "mobileone/checkpoint/checkpoint.h"

#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/value.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr const char* kFormat = "mobileone";
constexpr int64_t kVersion = 1;

void require_ours(const Value& file, const std::string& path) {
  if (file.kind() != Value::Kind::kDict || !file.find("format")) {
    throw Error("{}: is a torch file but no mobileone checkpoint (it has no entry 'format')", path);
  }
  const int64_t version = file.at("version").as_int();
  if (file.at("format").as_string() != kFormat || version != kVersion) {
    throw Error(
        "{}: has checkpoint version {} of format '{}'; this program reads version {} of '{}'", path,
        version, file.at("format").as_string(), kVersion, kFormat);
  }
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
    file.insert("step", checkpoint.training->step);
    file.insert("epoch", checkpoint.training->epoch);
    file.insert("best", checkpoint.training->best);
  }
  write_torch_file(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const Value file = read_torch_file(path);
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
  if (const auto optimizer = file.find("optimizer")) {
    checkpoint.training =
        TrainingState{optimizer->at("momentum").as_tensors(), file.at("step").as_int(),
                      file.at("epoch").as_int(), file.at("best").as_double()};
  }
  return checkpoint;
}

MobileOne make_network(const Checkpoint& checkpoint, const std::string& origin, bool prefer_ema) {
  NetworkOptions options = network_options(checkpoint.config.model);
  options.folded = checkpoint.folded();
  MobileOne network(options);
  const bool average = prefer_ema && !checkpoint.ema.is_empty();
  const StateDict& weights = average ? checkpoint.ema : checkpoint.weights;
  if (const auto* linear = weights.find("linear.weight")) network->to(linear->scalar_type());
  load_state_dict(*network, weights, origin);
  network->eval();
  return network;
}

}  // namespace mobileone
