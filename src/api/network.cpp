#include "mobileone/api/network.h"

#include <torch/utils.h>

#include <algorithm>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image_inputs.h"
#include "mobileone/data/loader.h"
#include "mobileone/export/formats.h"
#include "mobileone/task/task.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

Checkpoint checkpoint_of(const Network& network) {
  Checkpoint checkpoint;
  checkpoint.config = network.config;
  checkpoint.class_names = network.class_names;
  checkpoint.weights = state_dict(*network.module);
  return checkpoint;
}

}  // namespace

Network load_network(const std::filesystem::path& file) {
  const std::string origin = network_file(file).string();
  const Checkpoint checkpoint = load_checkpoint(origin);
  MobileOne module = make_network(checkpoint, origin);
  module->to(torch::kFloat32);
  return {module, checkpoint.config, checkpoint.class_names, origin};
}

Network new_network(const Config& config) {
  MobileOne module(network_options(config));
  module->eval();
  return {module, config, {}, "a new network"};
}

Network fold(const Network& network) {
  Network folded = network;
  folded.module = fold(network.module);
  return folded;
}

torch::Tensor read_image(const Network& network, const std::filesystem::path& file) {
  const auto task = task_of(network.config);
  LoaderOptions options = task->eval_options(network.config.data, /*batch_size=*/1);
  options.fewest = 0;
  options.any_damage = true;
  Loader loader(read_image_inputs({file.string()}), options);
  loader.start_epoch(0, task->eval_transform(network.config.data));
  const auto batch = loader.next();
  if (!batch->damaged.empty()) throw Error("{}", batch->damaged.front().message);
  return batch->images;
}

torch::Tensor forward(const Network& network, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  MobileOne module = network.module;
  return module->forward(images);
}

void save_network(const Network& network, const std::filesystem::path& file) {
  save_checkpoint(file, checkpoint_of(network));
}

void export_network(const Network& network, const std::filesystem::path& file) {
  const auto format = std::ranges::find_if(
      formats(), [&](const Format& each) { return file.string().ends_with(each.ending); });
  if (format == formats().end()) {
    throw Error("{}: its name ends in none of the formats: .pt, .onnx", file.string());
  }
  const MobileOne folded = fold_for_export(network.module, ExportType::kFloat32, network.origin);
  format->write(package(folded, checkpoint_of(network), network.origin, Preprocessing::kOutside),
                file, {});
}

}  // namespace mobileone
