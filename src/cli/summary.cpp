#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "mobileone/bench/operators.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/cli/commands.h"
#include "mobileone/config/reader.h"
#include "mobileone/eval/model.h"
#include "mobileone/model/counts.h"
#include "mobileone/model/method.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace {

/// A variant's name, a configuration, a checkpoint or a TorchScript file of ours.
Config described_config(const std::string& what) {
  if (const auto variant = from_string<Variant>(what)) {
    Config config;
    config.model.variant = *variant;
    return config;
  }
  const std::filesystem::path path = network_file(what);
  if (path.extension() == ".yaml" || path.extension() == ".yml") return load_config(path);
  if (!std::filesystem::exists(path)) {
    throw Error("{}: is no variant (s0, s1, s2, s3, s4) and no such file", what);
  }
  if (is_torchscript_file(path)) {
    const auto extra_files = read_torchscript_extra_files(path);
    if (const auto config = extra_files.find(kConfigFile); config != extra_files.end()) {
      return parse_config(config->second, what + " > " + kConfigFile);
    }
  }
  return load_checkpoint(path).config;
}

void summarise(const std::string& what, int64_t size) {
  const Config config = described_config(what);
  if (size == 0) size = config.data.eval_crop;
  NetworkOptions train_time = network_options(config), folded = train_time;
  folded.folded = true;
  const auto rows = layer_counts(train_time, size);
  std::map<std::string, LayerCounts> folded_rows;  // without what only training has
  for (const auto& row : layer_counts(folded, size)) folded_rows[row.name] = row;
  size_t width = 10;
  for (const auto& row : rows) width = std::max(width, row.name.size());
  constexpr auto kRow = "{:<{}} {:<20} {:>12} {:>8} {:>13} {:>13} {:>14} {:>12}\n";
  fmt::print(kRow, "layer", width, "kind", "output", "branches", "params train", "params folded",
             "MACs folded", "activations");
  for (const auto& row : rows) {
    const LayerCounts& then = folded_rows[row.name];
    fmt::print(kRow, row.name, width, row.kind,
               fmt::format("{}x{}x{}", row.channels, row.height, row.width), row.branches,
               row.parameters, then.parameters, then.macs, then.activations);
  }
  const auto total = total_counts(train_time, size), total_folded = total_counts(folded, size);
  fmt::print(kRow, "total", width, train_time.variant, "", "", total.parameters,
             total_folded.parameters, total_folded.macs, total_folded.activations);
  fmt::print("at {}x{} px, one image; unfolded: {} MACs, {} activations\n", size, size, total.macs,
             total.activations);
}

/// How the folded engine would train each unit, with what that costs.
void summarise_engine(const std::string& what, int64_t size, int64_t batch) {
  const Config config = described_config(what);
  if (size == 0) size = config.data.eval_crop;
  NetworkOptions options = network_options(config);
  options.folded = false;
  std::map<std::string, int64_t> pixels;
  size_t width = 10;
  for (const auto& row : layer_counts(options, size)) {
    pixels[row.name] = row.height * row.width;
    width = std::max(width, row.name.size());
  }
  constexpr auto kRow = "{:<{}} {:>10} {:>10} {:>16} {:>16}  {}\n";
  fmt::print(kRow, "layer", width, "branches", "positions", "MACs covariance", "MACs direct",
             "method");
  for (const auto& unit : unit_table(options)) {
    const int64_t positions = batch * pixels.at(unit.name);
    const auto cost = [&](Method method) {
      const double macs = training_macs(unit, method, positions);
      return std::isfinite(macs) ? fmt::format("{:.0f}", macs) : std::string("-");
    };
    fmt::print(kRow, unit.name, width, unit.branches, positions, cost(Method::kCovariance),
               cost(Method::kDirect), to_string(choose_method(unit, positions)));
  }
  fmt::print("multiply-adds of a training step of {} image(s), forward and backward\n", batch);
}

/// What the operators cost that LibTorch dispatches for one image.
void summarise_operators(const std::string& what, int64_t size, bool json) {
  const Model model = measured_model(what);
  if (size == 0) size = model.config.data.eval_crop;
  const auto operators = count_operators(
      model.forward, torch::zeros({1, std::ssize(model.config.data.mean), size, size}),
      model.buffers);
  const OperatorCounts total = total_counts(operators);
  if (json) {
    nlohmann::ordered_json document = {{"size", size}, {"operators", nlohmann::json::array()}};
    const auto object = [](const OperatorCounts& counts) -> nlohmann::ordered_json {
      return {{"name", counts.name},   {"calls", counts.calls},
              {"macs", counts.macs},   {"parameters", counts.parameters},
              {"bytes", counts.bytes}, {"activations", counts.activations},
              {"known", counts.known}};
    };
    for (const auto& counts : operators) document["operators"].push_back(object(counts));
    document["total"] = object(total);
    fmt::print("{}\n", document.dump());
    return;
  }
  constexpr auto kRow = "{:<32} {:>6} {:>14} {:>12} {:>12} {:>10}\n";
  fmt::print(kRow, "operator", "calls", "MACs", "parameters", "activations", "MB moved");
  const auto print = [&](const OperatorCounts& counts) {
    fmt::print(kRow, counts.name, counts.calls, counts.macs, counts.parameters, counts.activations,
               fmt::format("{:.2f}", 1e-6 * static_cast<double>(counts.bytes)));
  };
  for (const auto& counts : operators) print(counts);
  print(total);
  fmt::print("at {}x{} px, one image, {}\n", size, size, model.form);
  for (const auto& counts : operators) {
    if (!counts.known) fmt::print("{}: multiply-adds unknown, counted as none\n", counts.name);
  }
}

}  // namespace

void add_summary(CLI::App& app) {
  struct Options {
    std::string what;
    int64_t size = 0, batch = 16;
    bool engine = false, operators = false, json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("summary", "Layers, parameters, MACs and activations of a network");
  command
      ->add_option("network", options->what,
                   "s0 to s4, a YAML configuration or a network file; with --operators also\n"
                   "s0:unfolded and TorchScript of any program")
      ->required();
  command->add_option("--size", options->size, "Input size, px [the model's, or 224]")
      ->check(CLI::Range(8, 4096));
  auto* engine = command->add_flag("--engine", options->engine,
                                   "How the folded engine trains each unit instead");
  auto* operators = command->add_flag("--operators", options->operators,
                                      "What the operators cost that are dispatched instead");
  operators->excludes(engine);
  command->add_flag("--json", options->json, "Print one JSON object and nothing else")
      ->needs(operators);
  command->add_option("--batch", options->batch, "Images per step, for --engine")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->callback([options] {
    if (options->operators) {
      summarise_operators(options->what, options->size, options->json);
    } else if (options->engine) {
      summarise_engine(options->what, options->size, options->batch);
    } else {
      summarise(options->what, options->size);
    }
  });
}

}  // namespace mobileone::cli
