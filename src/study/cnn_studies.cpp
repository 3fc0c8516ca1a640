#include <fmt/ranges.h>
#include <torch/utils.h>

#include "mobileone/study/latency_studies.h"
#include "mobileone/study/latency_study.h"
#include "mobileone/study/plain_cnn.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace {

std::string in_words(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "ReLU";
    case Activation::kGelu:
      return "GELU";
    case Activation::kSeRelu:
      return "SE-ReLU";
    case Activation::kSilu:
      return "SiLU";
    case Activation::kDynamicReluA:
      return "Dynamic ReLU-A";
    case Activation::kDynamicReluB:
      return "Dynamic ReLU-B";
    case Activation::kDynamicShiftMax:
      return "DynamicShift-Max";
  }
  return "?";
}

std::string in_words(Block block, int64_t k) {
  switch (block) {
    case Block::kPlain:
      return "plain";
    case Block::kPooling:
      return "+ global pooling at the end";
    case Block::kLayerPooling:
      return "+ global pooling in each layer";
    case Block::kSe:
      return "+ squeeze-and-excitation";
    case Block::kSkip:
      return "+ skip connections";
    case Block::kSeSkip:
      return "+ both";
    case Block::kBranches:
      return fmt::format("train-time branches, k = {}, unfolded", k);
  }
  return "?";
}

std::string in_words(const PlainCnnConfig& config) {
  return fmt::format(
      "A CNN of {} 3×3 convolutions of {} channels, halving the image where the width changes.",
      config.layers, fmt::join(config.widths, ", "));
}

void require_networks(size_t count, const char* key) {
  if (count == 0) throw Error("{}: expected at least one, got an empty list", key);
}

void write(const std::filesystem::path& dir, const std::string& name, const std::string& page,
           const LatencyStudy& study) {
  write_whole(dir / (name + ".html"), page);
  write_whole(dir / (name + ".csv"), study_csv(study));
}

}  // namespace

void study_activations(const ActivationsStudy& study) {
  require_networks(study.activations.size(), "activations");
  require_networks(study.network.widths.size(), "network.widths");
  require_outputs(study.output, {"activations.html", "activations.csv"});
  torch::manual_seed(static_cast<uint64_t>(study.latency.seed));
  std::vector<StudyNetwork> networks;
  for (const Activation activation : study.activations) {
    const auto after = [&](const LayerShape& shape) {
      return activation_layer(activation, shape.out_channels);
    };
    networks.push_back({in_words(activation), "", plain_cnn(study.network, after)});
  }
  const LatencyStudy measured = measure_study(networks, study.latency);
  const std::string introduction =
      in_words(study.network) +
      " Only what follows each convolution differs. Multiply-adds hardly change; latency does: "
      "functions of the input's global mean wait for all of it, and what is not fused reads and "
      "writes activations once more for each operation.";
  write(study.output, "activations",
        relative_page("Latency of activation functions", introduction, measured), measured);
}

void study_blocks(const BlocksStudy& study) {
  require_networks(study.blocks.size(), "blocks");
  require_networks(study.network.widths.size(), "network.widths");
  require_outputs(study.output, {"blocks.html", "blocks.csv"});
  torch::manual_seed(static_cast<uint64_t>(study.latency.seed));
  std::vector<StudyNetwork> networks;
  for (const Block block : study.blocks) {
    networks.push_back(
        {in_words(block, study.branches), "", block_cnn(study.network, block, study.branches)});
  }
  const LatencyStudy measured = measure_study(networks, study.latency);
  const std::string introduction =
      in_words(study.network) +
      " Squeeze-and-excitation and global pooling need a whole feature map before they go on; skip "
      "connections and unfolded branches read and write activations again.";
  write(study.output, "blocks", relative_page("Latency of building blocks", introduction, measured),
        measured);
}

}  // namespace mobileone
