#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Every option of a run, once: its default is the member's initialiser; its range, unit and
/// meaning stand in the `visit` beside it, which hands each field to a visitor as
/// (name, field, FieldInfo). The YAML reader, the printed configuration and docs/config.md are made
/// from these.
namespace mobileone {

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// The upper end of what must stay below 1.
inline constexpr double kBelowOne = 0.999999;

/// What a field means. `min` and `max` are inclusive and hold for each element of a list. `allowed`
/// are the only values of an integer, or the only lengths of a list; empty: any.
struct FieldInfo {
  std::string_view doc;
  std::string_view unit = "";
  double min = -kUnbounded;
  double max = kUnbounded;
  std::vector<int64_t> allowed = {};
};

enum class Variant { kS0, kS1, kS2, kS3, kS4 };
enum class Policy { kNone, kAutoAugment, kRandAugment, kTrivialAugment };
enum class RandAugmentSpace { kTorchvision, kTimm };
enum class EraseMode { kConst, kRand, kPixel };
enum class Interpolation { kBilinear, kBicubic };
enum class Sampler { kShuffled, kBalanced };
enum class OnNonfinite { kStop, kSkip };
enum class DeviceChoice { kAuto, kCpu, kCuda };
enum class Precision { kFloat32, kBfloat16 };
enum class Engine { kFolded, kBranches };
/// A part of the network: the stem, a stage of blocks, or the classifier.
enum class Part { kStem, kStage1, kStage2, kStage3, kStage4, kClassifier };

/// The name ↔ value table of an enum that the configuration knows.
template <typename E>
struct EnumName {
  E value;
  std::string_view name;
};
inline constexpr auto enum_names(Variant) {
  return std::array<EnumName<Variant>, 5>{{{Variant::kS0, "s0"},
                                           {Variant::kS1, "s1"},
                                           {Variant::kS2, "s2"},
                                           {Variant::kS3, "s3"},
                                           {Variant::kS4, "s4"}}};
}
inline constexpr auto enum_names(Policy) {
  return std::array<EnumName<Policy>, 4>{{{Policy::kNone, "none"},
                                          {Policy::kAutoAugment, "autoaugment"},
                                          {Policy::kRandAugment, "randaugment"},
                                          {Policy::kTrivialAugment, "trivialaugment"}}};
}
inline constexpr auto enum_names(RandAugmentSpace) {
  return std::array<EnumName<RandAugmentSpace>, 2>{
      {{RandAugmentSpace::kTorchvision, "torchvision"}, {RandAugmentSpace::kTimm, "timm"}}};
}
inline constexpr auto enum_names(EraseMode) {
  return std::array<EnumName<EraseMode>, 3>{
      {{EraseMode::kConst, "const"}, {EraseMode::kRand, "rand"}, {EraseMode::kPixel, "pixel"}}};
}
inline constexpr auto enum_names(Interpolation) {
  return std::array<EnumName<Interpolation>, 2>{
      {{Interpolation::kBilinear, "bilinear"}, {Interpolation::kBicubic, "bicubic"}}};
}
inline constexpr auto enum_names(Sampler) {
  return std::array<EnumName<Sampler>, 2>{
      {{Sampler::kShuffled, "shuffled"}, {Sampler::kBalanced, "balanced"}}};
}
inline constexpr auto enum_names(OnNonfinite) {
  return std::array<EnumName<OnNonfinite>, 2>{
      {{OnNonfinite::kStop, "stop"}, {OnNonfinite::kSkip, "skip"}}};
}
inline constexpr auto enum_names(DeviceChoice) {
  return std::array<EnumName<DeviceChoice>, 3>{
      {{DeviceChoice::kAuto, "auto"}, {DeviceChoice::kCpu, "cpu"}, {DeviceChoice::kCuda, "cuda"}}};
}
inline constexpr auto enum_names(Precision) {
  return std::array<EnumName<Precision>, 2>{
      {{Precision::kFloat32, "fp32"}, {Precision::kBfloat16, "bf16"}}};
}
inline constexpr auto enum_names(Engine) {
  return std::array<EnumName<Engine>, 2>{
      {{Engine::kFolded, "folded"}, {Engine::kBranches, "branches"}}};
}
inline constexpr auto enum_names(Part) {
  return std::array<EnumName<Part>, 6>{{{Part::kStem, "stem"},
                                        {Part::kStage1, "stage1"},
                                        {Part::kStage2, "stage2"},
                                        {Part::kStage3, "stage3"},
                                        {Part::kStage4, "stage4"},
                                        {Part::kClassifier, "classifier"}}};
}
template <typename E>
constexpr std::string_view to_string(E value) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}
template <typename E>
constexpr std::optional<E> from_string(std::string_view name) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

/// Outputs that a classifier can have.
inline constexpr int64_t kMostClasses = 1'000'000;

/// Blocks in each stage of every published variant.
inline constexpr std::array<int64_t, 4> kDepths = {2, 8, 10, 1};

struct ModelConfig {
  Variant variant = Variant::kS0;
  int64_t num_classes = 0;
  int64_t in_channels = 3;
  std::vector<double> width_multipliers;
  std::vector<int64_t> depths;
  std::vector<int64_t> branches;
  std::vector<int64_t> se_blocks;
  bool scale_branch = true;
  bool skip_branch = true;
  int64_t stem_branches = 1;
  int64_t stem_stride = 2;
  int64_t output_stride = 32;
  std::string pretrained;
  std::vector<Part> freeze;

  bool operator==(const ModelConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("variant", variant, {"The published network that the keys below start from."});
    v("num_classes", num_classes,
      {"Outputs of the classifier; 0: as many as the training data has classes.", "classes", 0,
       static_cast<double>(kMostClasses)});
    v("in_channels", in_channels,
      {"Channels of the input image: 3 is RGB, 1 grey. Weights of `pretrained` of 3 channels are "
       "summed for 1.",
       "channels",
       1,
       3,
       {1, 3}});
    v("width_multipliers", width_multipliers,
      {"One per stage, times the base widths 64, 128, 256, 512; empty: the variant's.",
       "",
       0.01,
       64,
       {0, 4}});
    v("depths", depths, {"Blocks per stage; empty: 2, 8, 10, 1.", "blocks", 1, 1000, {0, 4}});
    v("branches", branches,
      {"Train-time convolution branches k of each unit: one number for all, or one per stage; "
       "empty: the variant's.",
       "branches",
       1,
       64,
       {0, 1, 4}});
    v("se_blocks", se_blocks,
      {"How many of each stage's last blocks have squeeze-and-excitation; empty: the variant's.",
       "blocks",
       0,
       1000,
       {0, 4}});
    v("scale_branch", scale_branch, {"Whether 3x3 units have a 1x1 branch while they train."});
    v("skip_branch", skip_branch,
      {"Whether units whose input and output have one shape have a batch norm alone as a branch."});
    v("stem_branches", stem_branches, {"Branches k of the stem.", "branches", 1, 64});
    v("stem_stride", stem_stride, {"Stride of the stem; 1 suits images of 32 to 64 px.", "", 1, 2});
    v("output_stride", output_stride,
      {"Largest ratio of input to feature size; beyond it stages dilate instead of striding.",
       "",
       8,
       32,
       {8, 16, 32}});
    v("pretrained", pretrained,
      {"A file of weights, folded or not, that training starts from; a classifier of other classes "
       "is made anew. Empty: random ones."});
    v("freeze", freeze,
      {"Parts of the pretrained network that training leaves as they are: their parameters, and "
       "the running statistics of their batch norms, by which they compute."});
  }
};

struct DataConfig {
  std::string train;
  std::string val;
  int64_t size = 224;
  int64_t eval_resize = 256;
  int64_t eval_crop = 224;
  std::vector<double> mean = {0.485, 0.456, 0.406};
  std::vector<double> std = {0.229, 0.224, 0.225};
  Interpolation interpolation = Interpolation::kBilinear;
  bool exif_orientation = false;
  bool fast_decode = true;
  int64_t workers = 2;
  int64_t prefetch = 4;
  int64_t shuffle_buffer = 8192;
  Sampler sampler = Sampler::kShuffled;

  bool operator==(const DataConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("train", train,
      {"Training images: a folder of class folders, a CSV list `path,label`, tar shards (a folder "
       "of "
       "them, or `DIR/{000..146}.tar`), or a pack (docs/data.md)."});
    v("val", val, {"Validation images, as `train`; empty: no validation."});
    v("size", size, {"Training image size where the curriculum names none.", "px", 8, 4096});
    v("eval_resize", eval_resize,
      {"Evaluation: the short side is resized to this.", "px", 8, 4096});
    v("eval_crop", eval_crop, {"Evaluation: side of the centre crop.", "px", 8, 4096});
    v("mean", mean,
      {"Subtracted from each channel in [0, 1]: three numbers for RGB, one for grey, such as "
       "0.449.",
       "",
       -kUnbounded,
       kUnbounded,
       {1, 3}});
    v("std", std,
      {"Each channel is divided by this, as many numbers.", "", 1e-6, kUnbounded, {1, 3}});
    v("interpolation", interpolation,
      {"How images are resized, in training and evaluation, always with antialiasing."});
    v("exif_orientation", exif_orientation,
      {"Whether JPEG, PNG and WebP files are turned upright as their EXIF or XMP say; published "
       "accuracies were measured without."});
    v("fast_decode", fast_decode,
      {"Whether training decodes JPEG files at a smaller scale where the crop is much larger than "
       "what it is resized to; the pixels differ slightly. Evaluation never does."});
    v("workers", workers, {"Threads that read and augment images.", "threads", 1, 1024});
    v("prefetch", prefetch, {"Batches held ready, at most.", "batches", 1, 1024});
    v("shuffle_buffer", shuffle_buffer,
      {"Tar shards are read in their order, each epoch in another order of shards; the next image "
       "is "
       "drawn from this many that come next.",
       "images", 1, 1e9});
    v("sampler", sampler,
      {"Which images make an epoch: shuffled: each once; balanced: as many of each class, images "
       "of "
       "small classes several times, each time augmented anew (as a WeightedRandomSampler of "
       "PyTorch does on average)."});
  }
};

struct RandAugmentConfig {
  RandAugmentSpace space = RandAugmentSpace::kTorchvision;
  int64_t operations = 2;
  double magnitude = 9;
  double magnitude_std = 0;

  bool operator==(const RandAugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("space", space,
      {"Whose operations and magnitudes: torchvision's RandAugment, every operation applied; or "
       "timm's increasing ones (rand-...-inc1, mmpretrain's timm_increasing), each with "
       "probability 0.5."});
    v("operations", operations, {"Operations drawn for an image.", "", 1, 16});
    v("magnitude", magnitude,
      {"Their strength: a whole number from 0 to 30 (torchvision), a number from 0 to 10 (timm).",
       "", 0, 30});
    v("magnitude_std", magnitude_std,
      {"Standard deviation of the magnitude, drawn for each operation (timm).", "", 0, 100});
  }
};

struct EraseConfig {
  double probability = 0;
  EraseMode mode = EraseMode::kPixel;
  std::array<double, 2> area = {0.02, 1.0 / 3};
  std::array<double, 2> ratio = {0.3, 1 / 0.3};

  bool operator==(const EraseConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("probability", probability, {"Of erasing a box of an image; 0: never.", "", 0, 1});
    v("mode", mode,
      {"What replaces it, of normalised values: zeros, one normal colour, or normal noise."});
    v("area", area, {"Smallest and largest share of the image's area.", "", 1e-6, 1});
    v("ratio", ratio, {"Smallest and largest ratio of height to width.", "", 0.01, 100});
  }
};

struct MixConfig {
  double mixup = 0;
  double cutmix = 0;
  double probability = 1;
  double switch_probability = 0.5;

  bool operator==(const MixConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("mixup", mixup,
      {"Mixup: alpha of the Beta(alpha, alpha) that a batch's share is drawn from; 0: none.", "", 0,
       100});
    v("cutmix", cutmix, {"CutMix: likewise.", "", 0, 100});
    v("probability", probability, {"Of mixing a batch.", "", 0, 1});
    v("switch_probability", switch_probability,
      {"Of CutMix instead of mixup where both are set.", "", 0, 1});
  }
};

struct AugmentConfig {
  std::array<double, 2> crop_area = {0.08, 1.0};
  std::array<double, 2> crop_ratio = {3.0 / 4, 4.0 / 3};
  double flip = 0.5;
  std::array<double, 4> color_jitter = {0, 0, 0, 0};
  Policy policy = Policy::kNone;
  RandAugmentConfig randaugment = {};
  double strength = 1.0;
  EraseConfig erase = {};
  MixConfig mix = {};

  bool operator==(const AugmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("crop_area", crop_area,
      {"RandomResizedCrop: smallest and largest share of the image's area.", "", 1e-6, 1});
    v("crop_ratio", crop_ratio,
      {"RandomResizedCrop: smallest and largest ratio of width to height.", "", 0.01, 100});
    v("flip", flip, {"Probability of a horizontal flip.", "", 0, 1});
    v("color_jitter", color_jitter,
      {"ColorJitter, in random order: brightness, contrast and saturation change by a random "
       "factor "
       "of 1 - x to 1 + x, the hue by -x to x of its circle (x at most 0.5); 0: not at all.",
       "", 0, 1});
    v("policy", policy,
      {"Further augmentation: AutoAugment's ImageNet policy (the paper: S2-S4), RandAugment, or "
       "TrivialAugmentWide; the last and the first as torchvision has them."});
    v("randaugment", randaugment, {"RandAugment; for `policy: randaugment`."});
    v("strength", strength,
      {"Scales the policy's magnitudes (and, for operations without one, their probability) where "
       "the curriculum names none.",
       "", 0, 1});
    v("erase", erase, {"Random erasing, after normalisation."});
    v("mix", mix, {"Mixing the images of a batch, and their labels."});
  }
};

struct LrFactors {
  double stem = 1;
  double stage1 = 1;
  double stage2 = 1;
  double stage3 = 1;
  double stage4 = 1;
  double classifier = 1;

  bool operator==(const LrFactors&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("stem", stem, {"Of the stem.", "", 0, 1e3});
    v("stage1", stage1, {"Of stage 1.", "", 0, 1e3});
    v("stage2", stage2, {"Of stage 2.", "", 0, 1e3});
    v("stage3", stage3, {"Of stage 3.", "", 0, 1e3});
    v("stage4", stage4, {"Of stage 4.", "", 0, 1e3});
    v("classifier", classifier, {"Of the classifier.", "", 0, 1e3});
  }
};

struct OptimizerConfig {
  double lr = 0.1;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 1e-4;
  double weight_decay_end = 1e-5;
  bool decay_norm_and_bias = true;
  double clip_norm = 0;
  LrFactors lr_factors;

  bool operator==(const OptimizerConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("lr", lr, {"Peak learning rate of SGD.", "", 0, 1e3});
    v("momentum", momentum, {"SGD momentum.", "", 0, kBelowOne});
    v("nesterov", nesterov, {"Nesterov's momentum."});
    v("weight_decay", weight_decay, {"Weight decay at the first step.", "", 0, 1});
    v("weight_decay_end", weight_decay_end,
      {"Weight decay at the last step, reached along a cosine.", "", 0, 1});
    v("decay_norm_and_bias", decay_norm_and_bias,
      {"Whether norms' scales and all biases decay too (the paper: yes)."});
    v("clip_norm", clip_norm,
      {"Largest L2 norm of the whole gradient; 0: no clipping.", "", 0, 1e9});
    v("lr_factors", lr_factors, {"Each part's learning rate is `lr` times its factor."});
  }
};

struct ScheduleConfig {
  int64_t epochs = 300;
  int64_t batch_size = 256;
  int64_t accumulate = 1;
  double warmup_epochs = 0;
  double lr_end = 0;

  bool operator==(const ScheduleConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("epochs", epochs, {"Passes over the training data.", "epochs", 1, 1e6});
    v("batch_size", batch_size, {"Images per optimizer step.", "images", 1, 1e6});
    v("accumulate", accumulate,
      {"Parts that each batch is split into, their gradients added up (saves memory).", "parts", 1,
       1e4});
    v("warmup_epochs", warmup_epochs, {"Linear warm-up of the learning rate.", "epochs", 0, 1e6});
    v("lr_end", lr_end, {"Learning rate at the end of the cosine.", "", 0, 1e3});
  }
};

struct LossConfig {
  double label_smoothing = 0.1;
  std::vector<double> class_weights;
  bool balanced = false;

  bool operator==(const LossConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("label_smoothing", label_smoothing,
      {"Share of the target that is spread over all classes.", "", 0, 1});
    v("class_weights", class_weights,
      {"One weight for each class, in the order of classes.txt: the loss is the mean weighted by "
       "them, as the `weight` of PyTorch's CrossEntropyLoss; empty: all 1.",
       "", 1e-6, 1e6});
    v("balanced", balanced,
      {"Whether classes weigh inversely to their number of training images: n / (classes × images "
       "of the class), as scikit-learn's `class_weight=\"balanced\"`."});
  }
};

struct EmaConfig {
  double decay = 0.9995;
  bool warmup = true;

  bool operator==(const EmaConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("decay", decay,
      {"Per-step decay of the moving average of parameters and buffers; 0: no average.", "", 0,
       kBelowOne});
    v("warmup", warmup,
      {"Whether the decay grows to `decay`: at step t, from 0, it is at most 1 - (1 + t)^(-2/3), "
       "as "
       "in timm's ModelEmaV3, so that the average forgets the first weights however short a run "
       "is; "
       "false: `decay` from the start, as in the paper."});
  }
};

struct CurriculumStage {
  int64_t epoch = 0;
  int64_t size = 224;
  double strength = 1.0;

  bool operator==(const CurriculumStage&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("epoch", epoch, {"First epoch of the stage, from 0.", "epochs", 0, 1e6});
    v("size", size, {"Training image size.", "px", 8, 4096});
    v("strength", strength, {"Strength of the augmentation policy.", "", 0, 1});
  }
};

struct CurriculumConfig {
  std::vector<CurriculumStage> stages;

  bool operator==(const CurriculumConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("stages", stages,
      {"Image size and augmentation strength by epoch: a list of {epoch, size, strength}, the "
       "first "
       "from epoch 0; empty: `data.size` and `augment.strength` throughout."});
  }
};

struct RuntimeConfig {
  DeviceChoice device = DeviceChoice::kAuto;
  Engine engine = Engine::kFolded;
  Precision precision = Precision::kFloat32;
  bool channels_last = true;
  int64_t threads = 0;
  int64_t seed = 0;
  OnNonfinite on_nonfinite = OnNonfinite::kStop;
  bool sync_bn = false;
  double timeout = 300;
  double memory_limit = 0;

  bool operator==(const RuntimeConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("device", device, {"Where to compute; auto: a CUDA device if there is one."});
    v("engine", engine,
      {"How a train-time network computes its branches; folded: all in one convolution per unit, "
       "with the same results; branches: each by itself, several times slower."});
    v("precision", precision, {"Arithmetic of convolutions; weights and statistics stay float32."});
    v("channels_last", channels_last, {"Memory layout of images and activations."});
    v("threads", threads,
      {"Threads of computation of a process; 0: as many as its share of the machine's cores.",
       "threads", 0, 1024});
    v("seed", seed, {"Seed of initialisation, order and augmentation.", "", 0, 9007199254740992.0});
    v("on_nonfinite", on_nonfinite,
      {"A batch whose loss or gradient is not finite ends the run, or is left out; more than 20 in "
       "a row, and an epoch without any other, always end it."});
    v("sync_bn", sync_bn,
      {"Whether batch norms see the batches of all processes of a run together, as if one process "
       "had them; otherwise each sees its own, and running statistics are averaged."});
    v("timeout", timeout,
      {"After so long without an answer from another process of the run all others end.", "seconds",
       1, 86400});
    v("memory_limit", memory_limit,
      {"A run that is estimated to need more memory is refused before it takes it; 0: what this "
       "machine, or its container, has.",
       "GiB", 0, 1e6});
  }
};

struct CheckpointsConfig {
  int64_t keep = 2;
  double every_minutes = 10;

  bool operator==(const CheckpointsConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("keep", keep,
      {"Newest checkpoints to keep: last.pth and, before it, last-1.pth, last-2.pth, ... (best.pth "
       "is kept beside them).",
       "files", 1, 1000});
    v("every_minutes", every_minutes,
      {"A checkpoint is written so often in mid-epoch, besides the one at each epoch's end; 0: "
       "only "
       "that one.",
       "minutes", 0, 1e6});
  }
};

struct OutputConfig {
  std::string dir = "runs/default";
  int64_t log_every = 50;
  bool json_log = false;

  bool operator==(const OutputConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("dir", dir, {"Folder of checkpoints, metrics and logs."});
    v("log_every", log_every,
      {"Loss, learning rate and speed go to the TensorBoard events (and log.jsonl) so often.",
       "steps", 1, 1e9});
    v("json_log", json_log, {"Whether log.jsonl is written: one JSON object a line."});
  }
};

struct Config {
  ModelConfig model;
  DataConfig data;
  AugmentConfig augment;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  LossConfig loss;
  EmaConfig ema;
  CurriculumConfig curriculum;
  RuntimeConfig runtime;
  CheckpointsConfig checkpoints;
  OutputConfig output;

  bool operator==(const Config&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("model", model, {"The network."});
    v("data", data, {"Images in, and how evaluation sees them."});
    v("augment", augment, {"What training does to images."});
    v("optimizer", optimizer, {"Stochastic gradient descent."});
    v("schedule", schedule, {"How long, how much at a time."});
    v("loss", loss, {"Cross entropy."});
    v("ema", ema, {"Exponential moving average of the weights."});
    v("curriculum", curriculum, {"Progressive sizes and augmentation."});
    v("runtime", runtime, {"Machine and arithmetic."});
    v("checkpoints", checkpoints, {"What a run can be resumed from."});
    v("output", output, {"What a run leaves behind."});
  }
};

}  // namespace mobileone
