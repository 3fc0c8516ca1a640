// Classifies an image with a file that `mobileone export` wrote, using LibTorch alone:
//     classify model.pt image.ppm
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "picture.h"

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
  return normalize(x, mean, std);
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
