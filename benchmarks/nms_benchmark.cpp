// How long non-maximum suppression of all boxes of an image takes, class by class:
//     nms_benchmark BOXES SCORES ANCHORS CLASSES THRESHOLD
// BOXES are float32 [ANCHORS,4], SCORES float32 [CLASSES,ANCHORS], files of plain numbers;
// benchmarks/nms.py writes them, and has torchvision's do the same. Prints the best of ten times in
// milliseconds, and how many boxes remain.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "mobileone/kernels/nms.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

std::vector<float> numbers(const char* file) {
  const std::string bytes = read_file(file);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

int64_t suppress_all(const std::vector<float>& boxes, const std::vector<float>& scores,
                     int64_t anchors, int64_t classes, float threshold) {
  int64_t kept = 0;
  std::vector<int32_t> order(anchors), places(anchors);
  std::array<std::vector<float>, 4> edges;
  for (auto& edge : edges) edge.resize(anchors);
  for (int64_t c = 0; c < classes; ++c) {
    const float* score = scores.data() + c * anchors;
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return score[a] > score[b]; });
    for (int64_t i = 0; i < anchors; ++i) {
      for (size_t e = 0; e < 4; ++e) edges[e][i] = boxes[4 * order[i] + e];
    }
    kept += kernels::suppress(
        {anchors, edges[0].data(), edges[1].data(), edges[2].data(), edges[3].data()}, threshold,
        anchors, places.data());
  }
  return kept;
}

}  // namespace
}  // namespace mobileone

int main(int, char** argv) {
  const auto boxes = mobileone::numbers(argv[1]), scores = mobileone::numbers(argv[2]);
  const int64_t anchors = std::stoll(argv[3]), classes = std::stoll(argv[4]);
  double best = 1e9;
  int64_t kept = 0;
  for (int round = 0; round < 10; ++round) {
    const auto start = std::chrono::steady_clock::now();
    kept = mobileone::suppress_all(boxes, scores, anchors, classes, std::stof(argv[5]));
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  fmt::print("{:.2f} {}\n", best, kept);
}
