#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/config/config.h"
#include "mobileone/util/number.h"

namespace mobileone::cli {

inline constexpr const char* kRunCodeHelp =
    "Run the code of a TorchScript file, whoever wrote it, instead of taking its weights";

/// A number from `least` to `most`; unlike CLI::Range it refuses "nan".
inline CLI::Validator number_range(double least, double most) {
  const std::string range = fmt::format("a number from {} to {}", least, most);
  return CLI::Validator(
      [=](std::string& text) {
        const auto value = parse_number<double>(text);
        const bool fits = value && *value >= least && *value <= most;
        return fits ? "" : fmt::format("'{}' is not {}", text, range);
      },
      range);
}

/// An option that takes one of an enum's names. `Target` is E or std::optional<E>.
template <typename E, typename Target>
CLI::Option* add_name_option(CLI::App& command, const std::string& flag, Target& value,
                             const std::string& description) {
  std::map<std::string, E> names;
  std::string list;
  for (const auto& entry : enum_names(E{})) {
    names.emplace(entry.name, entry.value);
    list += (list.empty() ? "" : ", ") + std::string(entry.name);
  }
  return command
      .add_option_function<std::string>(
          flag, [&value, names](const std::string& name) { value = names.at(name); },
          description + ": " + list)
      ->check(CLI::IsMember(names));
}

/// An option for an enum that has a default.
template <typename E>
CLI::Option* add_enum_option(CLI::App& command, const std::string& flag, E& value,
                             const std::string& description) {
  return add_name_option<E>(command, flag, value, description)
      ->default_str(std::string(to_string(value)));
}

/// The same for one that stays empty if it is not given.
template <typename E>
CLI::Option* add_enum_option(CLI::App& command, const std::string& flag, std::optional<E>& value,
                             const std::string& description) {
  return add_name_option<E>(command, flag, value, description);
}

/// The argument for a network's file, or the folder of a run, for which its file then stands.
inline CLI::Option* add_network_option(CLI::App& command, const std::string& name,
                                       std::string& file, const std::string& description) {
  return command.add_option(name, file, description)
      ->required()
      ->transform([](const std::string& path) { return network_file(path).string(); });
}

/// --masks, --annotations, --format, --ignore-label and --reduce-zero-label: where the masks or
/// boxes of a set lie and what masks' values mean, as the keys of `data` that are called so.
inline void add_set_options(CLI::App& command, DataConfig& data) {
  command.add_option("--masks", data.train_masks,
                     "Folder of the images' masks [found beside the images]");
  command.add_option("--annotations", data.train_annotations,
                     "COCO's file, or the folder of VOC's or YOLO's, with the images' boxes [found "
                     "beside the images]");
  add_enum_option(command, "--format", data.format, "How images and masks, or boxes, lie");
  command
      .add_option("--ignore-label", data.ignore_label,
                  "Value of pixels in masks that belong to no class, besides 255")
      ->check(CLI::Range(0, 65535));
  command.add_flag(
      "--reduce-zero-label", data.reduce_zero_label,
      "Value 0 of masks belongs to no class, and each other one means the class before");
}

/// --raw and --ema: which of a checkpoint's two sets of weights, instead of the better one.
inline void add_weights_options(CLI::App& command, std::optional<Weights>& wanted) {
  const auto add = [&](const char* flag, Weights weights, const char* description) {
    return command.add_flag_callback(
        flag, [&wanted, weights] { wanted = weights; }, description);
  };
  auto* raw = add("--raw", Weights::kRaw,
                  "Take the weights of SGD [whichever set did better in validation]");
  add("--ema", Weights::kAverage, "Take their moving average")->excludes(raw);
}

}  // namespace mobileone::cli
