#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/model/mobileone.h"

namespace mobileone {

/// A network in evaluation mode with what it takes to use it.
struct Network {
  MobileOne module{nullptr};             ///< on the CPU, in float32
  Config config;                         ///< `data` says how images are prepared
  std::vector<std::string> class_names;  ///< by output; empty where the file names none
  std::string origin;                    ///< the file, for messages
};

/// Reads a checkpoint, a run's folder (its best network), or weights that Apple, timm, mmpretrain
/// or CoreNet published. Throws Error if it is none of these, damaged, or has no head.
Network load_network(const std::filesystem::path& file);

/// A new network, of random weights, as `config` describes it; model.num_classes is to be set.
Network new_network(const Config& config);

/// The same function with one convolution for all branches of a unit.
Network fold(const Network& network);

/// An image file as evaluation prepares it: resized, cropped where the network classifies, and
/// normalised, float32 [1,C,H,W]. Throws Error naming the file if it cannot be read.
torch::Tensor read_image(const Network& network, const std::filesystem::path& file);

/// Logits, [N,classes] or of segmentation [N,classes,H,W], of such images; without gradients.
torch::Tensor forward(const Network& network, const torch::Tensor& images);

/// Writes a checkpoint, whole or not at all, that `load_network`, the program and Python's
/// torch.load read. Throws Error.
void save_network(const Network& network, const std::filesystem::path& file);

/// Folds the network if need be and writes it in the format that the file's name ends in: .pt
/// TorchScript, .onnx ONNX. Throws Error.
void export_network(const Network& network, const std::filesystem::path& file);

}  // namespace mobileone
