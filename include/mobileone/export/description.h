#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mobileone/checkpoint/checkpoint.h"

namespace mobileone {

enum class ExportType { kFloat32, kFloat16 };
inline constexpr auto enum_names(ExportType) {
  return std::array<EnumName<ExportType>, 2>{
      {{ExportType::kFloat32, "float32"}, {ExportType::kFloat16, "float16"}}};
}

/// Where an exported network's images become tensors. Outside: it takes normalised images
/// [N,C,H,W] of its own type and gives logits of that type. Inside: it takes resized and cropped
/// images, uint8 [N,H,W,C] of RGB or grey, normalises them in float32, and gives probabilities,
/// float32, or where it classifies pixels logits of its own type.
enum class Preprocessing { kOutside, kInside };

/// What a network takes: images where preprocessing is inside, else tensors of `type`.
struct ExportInterface {
  ExportType type = ExportType::kFloat32;
  Preprocessing preprocessing = Preprocessing::kOutside;

  bool operator==(const ExportInterface&) const = default;
};

/// How an image becomes what a network takes, in this order. Of a detector all of it becomes a
/// square of side `crop`, squashed or with `letterbox` in its shape, in the middle of one of the
/// mean colour.
struct Preparation {
  bool exif_orientation = false;
  int64_t resize = 0;  ///< the short side, px
  Interpolation interpolation = Interpolation::kBilinear;
  int64_t crop = 0;               ///< side of the centre crop, px
  std::vector<double> mean, std;  ///< of each channel, of levels divided by 255
  bool letterbox = false;

  bool operator==(const Preparation&) const = default;
};

/// What an exported file says of itself, in whatever format.
struct Description {
  std::string task = "classification";
  std::string variant;
  std::vector<std::string> class_names;  ///< by output; empty if the data set had no names
  int64_t num_classes = 0;
  ExportInterface interface;
  std::string output = "logits";  ///< what its first output is
  Preparation preparation;
  int64_t parameters = 0;
  int64_t macs = 0, activations = 0;  ///< of one image of `preparation.crop` px
  Metrics metrics;
  std::string source;   ///< the file it was made of
  std::string program;  ///< that made it

  bool operator==(const Description&) const = default;
};

/// The text of `mobileone.json`.
std::string to_json(const Description& description);

/// Reads such a text of this version or an earlier one. What it does not say, or says in another
/// way, as a text that is none of ours, has its default; names that are no texts are taken as they
/// stand in the JSON.
Description from_json(const std::string& text);

}  // namespace mobileone
