#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/sheet_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/optim/schedule.h"
#include "mobileone/task/task.h"
#include "mobileone/train/training_data.h"
#include "mobileone/util/error.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

constexpr int64_t kMixtures = 4;

struct DataShowOptions {
  std::string config, output;
  std::vector<std::string> overrides;
  int64_t images = 24, epoch = 0;
};

/// Levels of normalised images [N,C,H,W] as uint8 [N,H,W,3]; what no level stands for is cut.
at::Tensor levels_of(const at::Tensor& images, const DataConfig& data) {
  const auto channels = [](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).view({1, -1, 1, 1});
  };
  const at::Tensor levels = (images * channels(data.std) + channels(data.mean)) * 255;
  return levels.round()
      .clamp(0, 255)
      .to(at::kByte)
      .expand({-1, 3, -1, -1})
      .permute({0, 2, 3, 1})
      .contiguous();
}

/// "cat", or "0.70 cat" and "+ 0.30 dog": a long name that is cut short leaves the weight.
std::vector<std::string> caption(const Batch& batch, int64_t i, const ImageList& list) {
  const auto name = [&](int64_t at) { return list.class_name(batch.labels[at].item<int64_t>()); };
  if (batch.mixture_weight == 1) return {name(i)};
  return {fmt::format("{:.2f} {}", batch.mixture_weight, name(i)),
          fmt::format("+ {:.2f} {}", 1 - batch.mixture_weight, name(batch.labels.size(0) - 1 - i))};
}

/// An image as the network sees it: its labels under it, its mask laid over, or its boxes drawn.
Tile tile(const Batch& batch, int64_t i, const at::Tensor& levels, const ImageList& list) {
  if (!batch.objects.empty()) {
    return boxed_tile(levels, batch.objects[i], list,
                      list.storage->relative_name(batch.indices[i]));
  }
  if (!batch.masks.defined()) return {levels, caption(batch, i, list)};
  return masked_tile(levels, batch.masks[i], list.storage->relative_name(batch.indices[i]));
}

std::string segment_heading(const SegmentAugmentConfig& augment, const CurriculumStage& stage,
                            int64_t epoch) {
  return fmt::format("epoch {}: {} px, short side {} to {}, blur {}, photometric {}, rotate {}",
                     epoch, stage.size, augment.short_side[0], augment.short_side[1], augment.blur,
                     augment.photometric, augment.rotate);
}

std::string detect_heading(const DetectAugmentConfig& augment, const CurriculumStage& stage,
                           int64_t epoch) {
  return fmt::format("epoch {}: {} px, zoom out {} up to {}, crop {}, photometric {}", epoch,
                     stage.size, augment.zoom_out, augment.most_zoom, to_string(augment.crop),
                     augment.photometric);
}

std::string heading(const Config& config, const CurriculumStage& stage, int64_t epoch) {
  const AugmentConfig& augment = config.augment;
  if (config.model.head == HeadKind::kDeepLabV3)
    return segment_heading(augment.segment, stage, epoch);
  if (config.model.head == HeadKind::kSsdLite) return detect_heading(augment.detect, stage, epoch);
  std::string text =
      fmt::format("epoch {}: {} px, policy {}", epoch, stage.size, to_string(augment.policy));
  if (augment.policy != Policy::kNone) text += fmt::format(", strength {}", stage.strength);
  if (augment.erase.probability > 0) {
    text += fmt::format(", erase {}", augment.erase.probability);
  }
  if (augment.mix.mixup > 0) text += fmt::format(", mixup {}", augment.mix.mixup);
  if (augment.mix.cutmix > 0) text += fmt::format(", cutmix {}", augment.mix.cutmix);
  return text;
}

void data_show(const DataShowOptions& options) {
  require_format_ending("--output", options.output, kSheetEndings);
  Config config = load_config(options.config, options.overrides);
  config.data.val.clear();  // is not read
  require_output(options.output, {options.config, config.data.train});
  const TrainingData data = read_training_data(config);
  Loader loader(data.train, training_loader_options(config));
  loader.start_epoch(options.epoch, task_of(config)->train_transform(config, options.epoch));
  // A batch has one mixture: several batches show several.
  const MixConfig& mix = config.augment.mix;
  const bool mixes = mix.mixup > 0 || mix.cutmix > 0;
  const int64_t batches = mixes ? std::min(kMixtures, loader.batches_per_epoch()) : 1;
  const int64_t of_a_batch = (options.images + batches - 1) / batches;
  std::vector<Tile> tiles;
  std::array<int64_t, 256> labels{};  // of masks' pixels
  while (std::ssize(tiles) < options.images) {
    const auto batch = loader.next();
    if (!batch) break;
    const at::Tensor levels = levels_of(batch->images, config.data);
    const int64_t missing = options.images - std::ssize(tiles);
    const int64_t shown = std::min({levels.size(0), missing, of_a_batch});
    for (int64_t i = 0; i < shown; ++i) {
      tiles.push_back(tile(*batch, i, levels[i], data.train));
      if (!batch->masks.defined()) continue;
      const auto counts = label_counts(batch->masks[i]);
      std::transform(counts.begin(), counts.end(), labels.begin(), labels.begin(), std::plus());
    }
  }
  if (tiles.empty()) throw Error("{}: no readable image in it", config.data.train);
  const CurriculumStage stage = curriculum_stage(config, options.epoch);
  write_sheet(options.output,
              {heading(config, stage, options.epoch), tiles, mask_legend(data.train, labels)});
  fmt::print("{}: {} images of epoch {}\n", options.output, tiles.size(), options.epoch);
}

}  // namespace

void add_data_show(CLI::App& data) {
  auto options = std::make_shared<DataShowOptions>();
  auto* command = data.add_subcommand(
      "show",
      "Draw training images as the network would see them, with their labels, masks\n"
      "or boxes");
  command->add_option("config", options->config, "YAML configuration")->required();
  command->add_option("overrides", options->overrides,
                      "section.key=value, e.g. augment.policy=randaugment");
  command
      ->add_option("-o,--output", options->output,
                   "Picture to write (.png), or page (.html), which has names of any script")
      ->required();
  command->add_option("--images", options->images, "Images to show")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--epoch", options->epoch, "Epoch that they are of, from 0")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->callback([options] { data_show(*options); });
}

}  // namespace mobileone::cli
