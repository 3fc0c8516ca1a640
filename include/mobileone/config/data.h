#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/config/field.h"

namespace mobileone {

enum class Interpolation { kBilinear, kBicubic };
inline constexpr auto enum_names(Interpolation) {
  return std::array<EnumName<Interpolation>, 2>{
      {{Interpolation::kBilinear, "bilinear"}, {Interpolation::kBicubic, "bicubic"}}};
}

enum class Sampler { kShuffled, kBalanced };
inline constexpr auto enum_names(Sampler) {
  return std::array<EnumName<Sampler>, 2>{
      {{Sampler::kShuffled, "shuffled"}, {Sampler::kBalanced, "balanced"}}};
}

/// How a set of images with masks or boxes lies on disk.
enum class DataFormat { kAuto, kFolders, kCamVid, kVoc, kAde20k, kCoco, kYolo };
inline constexpr auto enum_names(DataFormat) {
  return std::array<EnumName<DataFormat>, 7>{{{DataFormat::kAuto, "auto"},
                                              {DataFormat::kFolders, "folders"},
                                              {DataFormat::kCamVid, "camvid"},
                                              {DataFormat::kVoc, "voc"},
                                              {DataFormat::kAde20k, "ade20k"},
                                              {DataFormat::kCoco, "coco"},
                                              {DataFormat::kYolo, "yolo"}}};
}

/// Side of the images of SSDLite where a configuration names none, px.
inline constexpr int64_t kSsdLiteSize = 320;

struct DataConfig {
  std::string train;
  std::string val;
  DataFormat format = DataFormat::kAuto;
  std::string train_masks = {};
  std::string val_masks = {};
  std::string train_annotations = {};
  std::string val_annotations = {};
  bool letterbox = false;
  int64_t ignore_label = 255;
  bool reduce_zero_label = false;
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
      FieldInfo{
          "Training images: a folder of class folders, a CSV list `path,label`, tar shards (a "
          "folder of them, or `DIR/{000..146}.tar`), or a pack; for segmentation and detection "
          "a folder of images, a list of CamVid's or VOC's, shards or a pack (docs/data.md)."}
          .with(Scope::kPlace));
    v("val", val,
      FieldInfo{"Validation images, as `train`; empty: no validation."}.with(Scope::kPlace));
    v("format", format,
      {"Segmentation and detection: how images and masks, or boxes, lie; auto: found by looking "
       "(docs/data.md)."});
    v("train_masks", train_masks,
      FieldInfo{"Segmentation: the folder of the masks of `train`; empty: beside the images, as "
                "`trainannot` beside `train`."}
          .with(Scope::kPlace));
    v("val_masks", val_masks, FieldInfo{"Likewise of `val`."}.with(Scope::kPlace));
    v("train_annotations", train_annotations,
      FieldInfo{
          "Detection: the annotations of `train`, a file of COCO's instances or the folder of "
          "VOC's or YOLO's; empty: beside the images."}
          .with(Scope::kPlace));
    v("val_annotations", val_annotations, FieldInfo{"Likewise of `val`."}.with(Scope::kPlace));
    v("letterbox", letterbox,
      {"Detection: whether images keep their shape, on the mean colour, instead of being squashed "
       "into a square."});
    v("ignore_label", ignore_label,
      {"Segmentation: pixels of this label in a mask belong to no class: they are neither learnt "
       "nor judged.",
       "", 0, 65535});
    v("reduce_zero_label", reduce_zero_label,
      {"Segmentation: whether label 0 is ignored and each other one means the class before it, as "
       "in ADE20K, whose format implies it."});
    v("size", size,
      {"Training image size, of a square, where the curriculum names none; for detection 320 if "
       "not set.",
       "px", 8, 4096});
    v("eval_resize", eval_resize,
      {"Evaluation: the short side is resized to this; 0, for segmentation: images stay as they "
       "are.",
       "px", 0, 4096});
    v("eval_crop", eval_crop,
      {"Evaluation: side of the centre crop. Segmentation judges the whole picture; this is then "
       "the size that is measured and exported with. Detection judges the whole picture at this "
       "size, 320 if not set.",
       "px", 8, 4096});
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
    v("workers", workers,
      FieldInfo{"Threads that read and augment images.", "threads", 1, 1024}.with(Scope::kMachine));
    v("prefetch", prefetch,
      FieldInfo{"Batches held ready, at most.", "batches", 1, 1024}.with(Scope::kMachine));
    v("shuffle_buffer", shuffle_buffer,
      {"Tar shards are read in their order, each epoch in another order of shards; the next image "
       "is drawn from this many that come next.",
       "images", 1, 1e9});
    v("sampler", sampler,
      {"Which images make an epoch: shuffled: each once; balanced: as many of each class, images "
       "of small classes several times, each time augmented anew (as a WeightedRandomSampler of "
       "PyTorch does on average)."});
  }
};

}  // namespace mobileone
