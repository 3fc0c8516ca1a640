// Pictures for networks that `mobileone export` wrote, by LibTorch alone: binary PPM (P6), to need
// no image library: `convert photo.jpg image.ppm`.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

inline torch::Tensor read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int64_t width = 0, height = 0, levels = 0;
  file >> magic >> width >> height >> levels;
  if (!file || magic != "P6" || levels != 255)
    throw std::runtime_error(path + ": is no 8-bit binary PPM");
  file.get();
  auto pixels = torch::empty({height, width, 3}, torch::kUInt8);
  file.read(static_cast<char*>(pixels.data_ptr()), pixels.numel());
  if (!file) throw std::runtime_error(path + ": ends early");
  return pixels.permute({2, 0, 1}).unsqueeze(0);  // [1,3,H,W]
}

/// Of networks of one channel: ITU-R 601's luma, rounded as Pillow's convert("L").
inline torch::Tensor to_grey(const torch::Tensor& image) {
  const auto shares = torch::tensor({19595, 38470, 7471}, torch::kInt).view({1, 3, 1, 1});
  return ((image.to(torch::kInt) * shares).sum(1, /*keepdim=*/true) + 0x8000).floor_divide(0x10000);
}

/// Antialiased, with whole grey levels after each axis, as in training.
inline torch::Tensor resize_image(torch::Tensor x, int64_t height, int64_t width,
                                  const std::string& interpolation) {
  if (interpolation != "bilinear" && interpolation != "bicubic")
    throw std::runtime_error("unknown interpolation `" + interpolation + "`");
  for (const int64_t rows : {x.size(2), height}) {
    x = interpolation == "bicubic" ? at::_upsample_bicubic2d_aa(x, {rows, width}, false)
                                   : at::_upsample_bilinear2d_aa(x, {rows, width}, false);
    x = (x + 0.5).floor().clamp(0, 255);
  }
  return x;
}

/// Scaled to [0, 1] and normalised per channel.
inline torch::Tensor normalize(const torch::Tensor& levels, const std::vector<double>& mean,
                               const std::vector<double>& std) {
  const auto per_channel = [](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat).view({1, -1, 1, 1});
  };
  return (levels / 255 - per_channel(mean)) / per_channel(std);
}
