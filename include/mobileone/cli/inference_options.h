#pragma once

#include <torch/types.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "mobileone/eval/evaluate.h"
#include "mobileone/eval/model.h"

namespace mobileone::cli {

/// How a command that judges images computes: a network file and what may be said beside it.
struct InferenceOptions {
  std::string model;             ///< a file
  int64_t resize = 0, crop = 0;  ///< px; 0: the model's
  int64_t threads = 0;           ///< 0: one per core
  EvaluationOptions evaluation;
  std::optional<Weights> weights;  ///< of a checkpoint; empty: the better set
  bool run_code = false, cpu = false;

  DeviceChoice device() const { return cpu ? DeviceChoice::kCpu : DeviceChoice::kAuto; }
};

/// Adds the argument "model" and the options of these.
void add_inference_options(CLI::App& command, InferenceOptions& options);

/// Loads the network, whose configuration then says what the options say. Throws Error.
Model load_model(const InferenceOptions& options, torch::Device device);

}  // namespace mobileone::cli
