#include "mobileone/data/index_mask.h"

#include <ATen/ATen.h>

#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// Of a value that stands for no class.
constexpr int kNone = -1;

/// What `value` stands for.
int label_of(int64_t value, const MaskLabels& labels) {
  if (value == labels.ignore_label || value == kIgnored) return kIgnored;
  const int64_t label = value - (labels.reduce_zero_label ? 1 : 0);
  if (label < 0) return kIgnored;
  return label < labels.num_classes ? static_cast<int>(label) : kNone;
}

Error no_class(int64_t value, int64_t x, int64_t y, const std::string& name,
               const MaskLabels& labels) {
  const int64_t first = labels.reduce_zero_label ? 1 : 0;
  std::string ignored = labels.reduce_zero_label ? "0 or 255" : "255";
  if (labels.ignore_label != kIgnored)
    ignored = fmt::format("{} or {}", labels.ignore_label, ignored);
  return Error(
      "{}: value {} at x {}, y {} is none of the {} classes (expected {} to {}; {} is ignored); if "
      "it means no class, set data.ignore_label={}",
      name, value, x, y, labels.num_classes, first, first + labels.num_classes - 1, ignored, value);
}

}  // namespace

at::Tensor decode_index_mask(std::string_view bytes, const std::string& name,
                             const MaskLabels& labels) {
  if (!is_png(bytes)) {
    throw Error("{}: is {}, expected a mask: a grey or palette PNG whose values are classes", name,
                file_kind(bytes));
  }
  const at::Tensor values = decode_png_values(bytes, name);
  const int64_t height = values.size(0), width = values.size(1);
  at::Tensor mask = at::empty({height, width}, at::kByte);
  const uint8_t* in = values.const_data_ptr<uint8_t>();
  uint8_t* out = mask.mutable_data_ptr<uint8_t>();
  const bool wide = values.size(2) == 2;
  std::vector<int16_t> table(wide ? 65536 : 256);
  for (int64_t value = 0; value < std::ssize(table); ++value) {
    table[value] = static_cast<int16_t>(label_of(value, labels));
  }
  const auto value_at = [&](int64_t i) { return wide ? in[2 * i] << 8 | in[2 * i + 1] : in[i]; };
  int least = 0;  // kNone once a value stood for no class
  for (int64_t i = 0; i < height * width; ++i) {
    const int label = table[value_at(i)];
    least |= label;
    out[i] = static_cast<uint8_t>(label);
  }
  for (int64_t i = 0; least < 0; ++i) {
    if (table[value_at(i)] == kNone) {
      throw no_class(value_at(i), i % width, i / width, name, labels);
    }
  }
  return mask;
}

void require_mask_labels(const at::Tensor& mask, int64_t classes, const std::string& name) {
  const auto counts = label_counts(mask);
  for (int64_t label = classes; label < kIgnored; ++label) {
    if (counts[label] == 0) continue;
    throw Error("{}: has label {}, which is none of the {} classes (0 to {})", name, label, classes,
                classes - 1);
  }
}

void require_mask_size(const at::Tensor& mask, int64_t height, int64_t width,
                       const std::string& name) {
  if (!mask.defined() || (mask.size(0) == height && mask.size(1) == width)) return;
  throw Error("{}: has {} x {} pixels, its mask {} x {}; they must be of one size", name, width,
              height, mask.size(1), mask.size(0));
}

std::array<int64_t, 256> label_counts(const at::Tensor& mask) {
  // Neighbours count in tables of their own: equal labels in a row would wait for each other.
  std::array<std::array<uint32_t, 256>, 4> counts{};
  const uint8_t* labels = mask.const_data_ptr<uint8_t>();
  const int64_t pixels = mask.numel();
  for (int64_t i = 0; i < pixels; ++i) ++counts[i % 4][labels[i]];
  std::array<int64_t, 256> result{};
  for (const auto& table : counts) {
    for (size_t label = 0; label < result.size(); ++label) result[label] += table[label];
  }
  return result;
}

const Palette& voc_palette() {
  static const Palette palette = [] {
    Palette colours{};
    for (size_t index = 0; index < colours.size(); ++index) {
      for (size_t bit = 0; bit < 8; ++bit) {  // three of the index for each of a level's bits
        for (size_t channel = 0; channel < 3; ++channel) {
          const size_t on = index >> (3 * bit + channel) & 1;
          colours[index][channel] |= static_cast<uint8_t>(on << (7 - bit));
        }
      }
    }
    return colours;
  }();
  return palette;
}

}  // namespace mobileone
