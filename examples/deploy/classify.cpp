// Classifies an image with a file that `mobileone export` wrote, using LibTorch alone:
//     classify model.pt image.ppm
// The image is a binary PPM (P6), to need no image library: `convert photo.jpg image.ppm`.
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

torch::Tensor read_ppm(const std::string& path) {
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
torch::Tensor to_grey(const torch::Tensor& image) {
  const auto shares = torch::tensor({19595, 38470, 7471}, torch::kInt).view({1, 3, 1, 1});
  return ((image.to(torch::kInt) * shares).sum(1, /*keepdim=*/true) + 0x8000).floor_divide(0x10000);
}

/// Antialiased, with whole grey levels after each axis, as in training.
torch::Tensor resize_image(torch::Tensor x, int64_t height, int64_t width,
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

/// Short side to `resize`; centre `crop`; scaled and normalised per channel.
torch::Tensor prepare(const torch::Tensor& image, int64_t resize, const std::string& interpolation,
                      int64_t crop, const std::vector<double>& mean,
                      const std::vector<double>& std) {
  const int64_t height = image.size(2), width = image.size(3), side = std::min(height, width);
  auto x = mean.size() == 1 ? to_grey(image) : image;
  x = resize_image(x.to(torch::kFloat), height * resize / side, width * resize / side,
                   interpolation);
  for (const int64_t axis : {2, 3}) {
    const double border = static_cast<double>(x.size(axis) - crop) / 2;
    x = x.narrow(axis, static_cast<int64_t>(std::nearbyint(border)), crop);
  }
  const auto per_channel = [](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat).view({1, -1, 1, 1});
  };
  return (x / 255 - per_channel(mean)) / per_channel(std);
}

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: classify model.pt image.ppm");
  torch::NoGradGuard no_grad;
  auto model = torch::jit::load(argv[1]);
  const auto input =
      prepare(read_ppm(argv[2]), model.attr("resize").toInt(),
              model.attr("interpolation").toStringRef(), model.attr("crop").toInt(),
              model.attr("mean").toDoubleVector(), model.attr("std").toDoubleVector());
  const auto probabilities = model.forward({input}).toTensor().softmax(1)[0];
  const auto names = model.attr("class_names").toListRef();
  const auto [best, classes] = probabilities.topk(std::min<int64_t>(5, probabilities.size(0)));
  for (int64_t i = 0; i < best.size(0); ++i) {
    const auto index = classes[i].item<int64_t>();
    const std::string name = names.empty() ? std::to_string(index) : names[index].toStringRef();
    std::printf("%6.2f %%  %s\n", 100 * best[i].item<double>(), name.c_str());
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "classify: %s\n", error.what());
  return 1;
}
