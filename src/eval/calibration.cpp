#include "mobileone/eval/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mobileone/report/chart.h"

namespace mobileone {
namespace {

const Axis kConfidenceAxis = {.label = "confidence, %", .from = 0, .to = 100};

std::string percent_field(double value) {
  return std::isfinite(value) ? fmt::format("{:.2f}", value) : "";
}

}  // namespace

Calibration calibrate(const std::vector<ImageResult>& images, int64_t bins) {
  Calibration result;
  for (int64_t i = 0; i < bins; ++i)
    result.bins.push_back({100.0 * i / bins, 100.0 * (i + 1) / bins});
  for (const auto& image : images) {
    if (!std::isfinite(image.probability)) continue;
    const auto above = static_cast<int64_t>(std::ceil(image.probability * bins)) - 1;
    auto& bin = result.bins[std::clamp<int64_t>(above, 0, bins - 1)];
    ++bin.images;
    bin.confidence += 100 * image.probability;
    bin.accuracy += image.prediction == image.label ? 100 : 0;
    ++result.images;
  }
  for (auto& bin : result.bins) {
    result.ece += std::abs(bin.accuracy - bin.confidence);
    bin.confidence /= bin.images;
    bin.accuracy /= bin.images;
  }
  result.ece /= result.images;
  return result;
}

std::string calibration_csv(const Calibration& calibration) {
  std::string text = "from,to,images,confidence,accuracy\n";
  for (const auto& bin : calibration.bins) {
    text += fmt::format("{:.2f},{:.2f},{},{},{}\n", bin.from, bin.to, bin.images,
                        percent_field(bin.confidence), percent_field(bin.accuracy));
  }
  return text;
}

std::string reliability_svg(const Calibration& calibration) {
  Series model{"this model", {}, {}};
  for (const auto& bin : calibration.bins) {
    if (bin.images == 0) continue;
    model.x.push_back(bin.confidence);
    model.y.push_back(bin.accuracy);
  }
  const Series ideal{"calibrated", {0, 100}, {0, 100}, Series::kReference, Dash::kDashed};
  return to_svg({"Reliability",
                 kConfidenceAxis,
                 {.label = "accuracy, %", .from = 0, .to = 100},
                 {ideal, model}});
}

std::string confidence_svg(const Calibration& calibration) {
  Series outline{"", {0}, {0}};
  for (const auto& bin : calibration.bins) {
    const double share = 100.0 * bin.images / std::max<int64_t>(1, calibration.images);
    outline.x.insert(outline.x.end(), {bin.from, bin.to});
    outline.y.insert(outline.y.end(), {share, share});
  }
  outline.x.push_back(100);
  outline.y.push_back(0);
  return to_svg(
      {"Confidence", kConfidenceAxis, {.label = "share of images, %", .from = 0}, {outline}});
}

}  // namespace mobileone
