#pragma once

#include <filesystem>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/dialect.h"
#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// How images are prepared for the published weights of a dialect: short side to 256 px, centre
/// crop of 224; CoreNet alone does not normalize.
DataConfig published_data(Dialect dialect, int64_t channels = 3);

/// The network in a file of another program, as `read_weights_file` gives it: a state dict in any
/// dialect, with its moving average if it has one, each the file itself or an entry of it
/// ("state_dict", "model_ema", ...), in a wrapper or not. The configuration is what the tensors
/// tell (see infer.h) with `published_data`, or what the metadata say where
/// `write_safetensors_weights` wrote the file. Classes have names if they are ImageNet's 1,000.
/// Weights keep their dtype; a file without num_batches_tracked gets zeros.
///
/// Throws Error in one line that names the file, `origin`: no weights in it, no MobileOne, or every
/// tensor that is missing, unexpected or of the wrong shape, as the file calls it.
Checkpoint read_foreign(const Value& file, const std::string& origin);

/// Writes the weights alone, as a torch file of a bare state dict.
void write_torch_weights(const std::filesystem::path& path, const Checkpoint& checkpoint,
                         Dialect dialect);

/// Writes weights as safetensors. The metadata tell Python's users format, architecture, dialect
/// and num_classes; two more, of this program, let `read_foreign` restore network, preprocessing
/// and class names.
void write_safetensors_weights(const std::filesystem::path& path, const Checkpoint& checkpoint,
                               Dialect dialect);

}  // namespace mobileone
