// Draws the mask of a picture with a segmentation network that `mobileone export` wrote, using
// LibTorch alone:
//     segment model.pt image.ppm mask.ppm
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include "picture.h"

/// The short side to `resize` (0: not at all), normalised.
torch::Tensor prepare(const torch::Tensor& image, const torch::jit::Module& model) {
  const int64_t height = image.size(2), width = image.size(3),
                resize = model.attr("resize").toInt(), side = std::min(height, width),
                size = resize == 0 ? side : resize;
  const auto mean = model.attr("mean").toDoubleVector(), std = model.attr("std").toDoubleVector();
  auto x = (mean.size() == 1 ? to_grey(image) : image).to(torch::kFloat);
  x = resize_image(x, height * size / side, width * size / side,
                   model.attr("interpolation").toStringRef());
  return normalize(x, mean, std);
}

/// Pascal VOC's colour of a class: its bits are spread over the channels' highest bits.
std::array<char, 3> color_of(int64_t label) {
  std::array<int64_t, 3> color{};
  for (int bit = 7; label > 0; label >>= 3, --bit) {
    for (int channel = 0; channel < 3; ++channel) color[channel] |= (label >> channel & 1) << bit;
  }
  return {static_cast<char>(color[0]), static_cast<char>(color[1]), static_cast<char>(color[2])};
}

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("usage: segment model.pt image.ppm mask.ppm");
  torch::NoGradGuard no_grad;
  auto model = torch::jit::load(argv[1]);
  const auto image = read_ppm(argv[2]);
  const int64_t height = image.size(2), width = image.size(3);
  const auto logits = model.forward({prepare(image, model)}).toTensor();
  const auto mask =
      at::upsample_bilinear2d(logits, {height, width}, /*align_corners=*/false).argmax(1)[0];
  std::ofstream file(argv[3], std::ios::binary);
  file << "P6\n" << width << ' ' << height << "\n255\n";
  const auto labels = mask.contiguous();
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const auto color = color_of(labels.const_data_ptr<int64_t>()[i]);
    file.write(color.data(), color.size());
  }
  if (!file) throw std::runtime_error(std::string(argv[3]) + ": cannot be written");
  const auto names = model.attr("class_names").toListRef();
  const auto counts = mask.flatten().bincount();
  for (int64_t i = 0; i < counts.size(0); ++i) {
    if (counts[i].item<int64_t>() == 0) continue;
    const std::string name = names.empty() ? std::to_string(i) : names[i].toStringRef();
    std::printf("%6.2f %%  %s\n", 100.0 * counts[i].item<double>() / (height * width),
                name.c_str());
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "segment: %s\n", error.what());
  return 1;
}
