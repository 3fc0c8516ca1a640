// Finds the objects in a picture with a detector that `mobileone export` wrote, using LibTorch
// alone, and draws their boxes:
//     detect model.pt image.ppm boxes.ppm
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include "picture.h"

constexpr double kLeastScore = 0.3;

/// How a picture comes to lie in the network's square: pixels = scale · the picture's + shift.
struct Placing {
  double x_scale, y_scale, x_shift = 0, y_shift = 0;
};

Placing place(int64_t height, int64_t width, const torch::jit::Module& model) {
  const auto size = static_cast<double>(model.attr("crop").toInt());
  Placing placing{size / static_cast<double>(width), size / static_cast<double>(height)};
  if (model.attr("letterbox").toInt() == 1) {
    placing.x_scale = placing.y_scale = std::min(placing.x_scale, placing.y_scale);
    const auto margin = [&](int64_t side) {
      return std::floor((size - std::round(placing.x_scale * static_cast<double>(side))) / 2);
    };
    placing.x_shift = margin(width);
    placing.y_shift = margin(height);
  }
  return placing;
}

/// In the square, on the mean colour, normalised.
torch::Tensor prepare(const torch::Tensor& image, const Placing& p,
                      const torch::jit::Module& model) {
  const int64_t size = model.attr("crop").toInt();
  const auto mean = model.attr("mean").toDoubleVector(), std = model.attr("std").toDoubleVector();
  const auto levels = (mean.size() == 1 ? to_grey(image) : image).to(torch::kFloat);
  const int64_t height = std::lround(p.y_scale * static_cast<double>(image.size(2))),
                width = std::lround(p.x_scale * static_cast<double>(image.size(3)));
  auto square = (torch::tensor(mean, torch::kFloat) * 255).round().view({1, -1, 1, 1});
  square = square.expand({1, -1, size, size}).clone();
  const auto top = static_cast<int64_t>(p.y_shift), left = static_cast<int64_t>(p.x_shift);
  square.slice(2, top, top + height)
      .slice(3, left, left + width)
      .copy_(resize_image(levels, height, width, model.attr("interpolation").toStringRef()));
  return normalize(square, mean, std);
}

/// A frame of two pixels.
void draw(torch::Tensor& picture, const torch::Tensor& box) {
  const auto edge = [&](int64_t i, int64_t limit) {
    return std::clamp<int64_t>(std::lround(box[i].item<double>()), 0, limit);
  };
  const int64_t left = edge(0, picture.size(3)), top = edge(1, picture.size(2)),
                right = edge(2, picture.size(3)), bottom = edge(3, picture.size(2));
  const auto color = torch::tensor({255, 220, 0}, torch::kByte).view({1, 3, 1, 1});
  for (const auto& [y0, y1, x0, x1] :
       {std::array{top, top + 2, left, right}, std::array{bottom - 2, bottom, left, right},
        std::array{top, bottom, left, left + 2}, std::array{top, bottom, right - 2, right}}) {
    picture.slice(2, std::max<int64_t>(0, y0), y1).slice(3, std::max<int64_t>(0, x0), x1) = color;
  }
}

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("usage: detect model.pt image.ppm boxes.ppm");
  torch::NoGradGuard no_grad;
  auto model = torch::jit::load(argv[1]);
  auto image = read_ppm(argv[2]).contiguous();
  const int64_t height = image.size(2), width = image.size(3);
  const Placing p = place(height, width, model);
  const auto found = model.forward({prepare(image, p, model)}).toTensor();
  const auto shift = torch::tensor({p.x_shift, p.y_shift, p.x_shift, p.y_shift}, torch::kFloat);
  const auto scale = torch::tensor({p.x_scale, p.y_scale, p.x_scale, p.y_scale}, torch::kFloat);
  const auto boxes = (found.slice(1, 0, 4) - shift) / scale;
  const auto names = model.attr("class_names").toListRef();
  for (int64_t i = 0; i < found.size(0); ++i) {
    if (found[i][4].item<double>() < kLeastScore) break;  // the surest come first
    const auto label = found[i][5].item<int64_t>();
    const std::string name = names.empty() ? std::to_string(label) : names[label].toStringRef();
    std::printf("%.3f  %s ", found[i][4].item<double>(), name.c_str());
    for (int64_t edge = 0; edge < 4; ++edge) std::printf(" %.1f", boxes[i][edge].item<double>());
    std::printf("\n");
    draw(image, boxes[i]);
  }
  std::ofstream file(argv[3], std::ios::binary);
  file << "P6\n" << width << ' ' << height << "\n255\n";
  const auto pixels = image[0].permute({1, 2, 0}).contiguous();
  file.write(static_cast<const char*>(pixels.data_ptr()), pixels.numel());
  if (!file) throw std::runtime_error(std::string(argv[3]) + ": cannot be written");
} catch (const std::exception& error) {
  std::fprintf(stderr, "detect: %s\n", error.what());
  return 1;
}
