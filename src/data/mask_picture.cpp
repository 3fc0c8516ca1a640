#include "mobileone/data/mask_picture.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "mobileone/data/annotation.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/png.h"

namespace mobileone {
namespace {

/// uint8 [256,3].
at::Tensor palette_tensor() {
  const at::Tensor colors = at::empty({256, 3}, at::kByte);
  auto rows = colors.accessor<uint8_t, 2>();
  for (int64_t i = 0; i < 256; ++i) {
    for (int64_t channel = 0; channel < 3; ++channel) {
      rows[i][channel] = voc_palette()[static_cast<size_t>(i)][static_cast<size_t>(channel)];
    }
  }
  return colors;
}

}  // namespace

at::Tensor overlay(const at::Tensor& image, const at::Tensor& mask, double opacity) {
  const at::Tensor colors = palette_tensor().index({mask.to(at::kLong)});
  const at::Tensor laid = (image.to(at::kFloat) * (1 - opacity) + colors.to(at::kFloat) * opacity)
                              .round()
                              .to(at::kByte);
  return at::where(mask.eq(kIgnored).unsqueeze(2), image, laid);
}

std::string encode_mask_png(const at::Tensor& mask) {
  return encode_png_indices(mask, voc_palette());
}

std::string class_color(int64_t label) {
  const auto& [red, green, blue] = voc_palette()[static_cast<size_t>(label)];
  return fmt::format("#{:02x}{:02x}{:02x}", red, green, blue);
}

}  // namespace mobileone
