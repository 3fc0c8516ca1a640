// Classifies an image with a file that `mobileone export --with-preprocessing` wrote, by OpenVINO:
//     classify_onnx model.onnx crop.ppm
// The image is a binary PPM (P6; for a network of one channel PGM, P5), resized and cropped
// already.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <openvino/openvino.hpp>
#include <stdexcept>
#include <string>

/// uint8 [1,H,W,3], or [1,H,W,1] of a PGM.
ov::Tensor read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  size_t width = 0, height = 0, levels = 0;
  file >> magic >> width >> height >> levels;
  if (!file || (magic != "P6" && magic != "P5") || levels != 255)
    throw std::runtime_error(path + ": is no 8-bit binary PPM or PGM");
  file.get();
  ov::Tensor pixels(ov::element::u8, {1, height, width, magic == "P6" ? 3U : 1U});
  file.read(static_cast<char*>(pixels.data()), static_cast<std::streamsize>(pixels.get_size()));
  if (!file) throw std::runtime_error(path + ": ends early");
  return pixels;
}

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: classify_onnx model.onnx crop.ppm");
  ov::Core core;
  auto request = core.compile_model(argv[1], "CPU").create_infer_request();
  request.set_input_tensor(read_ppm(argv[2]));
  request.infer();
  const ov::Tensor answer = request.get_output_tensor();
  const float* probabilities = answer.data<float>();
  const float* best = std::max_element(probabilities, probabilities + answer.get_size());
  std::printf("%6.2f %%  class %td\n", 100 * *best, best - probabilities);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
