#include "mobileone/data/box_picture.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "mobileone/data/index_mask.h"
#include "picture_text.h"

namespace mobileone {
namespace {

/// Of classes in the colours of Pascal VOC's palette, whose first is black: the background's.
cv::Scalar color_of(int64_t label) {
  const auto& [red, green, blue] = voc_palette()[static_cast<size_t>(1 + label % 254)];
  return {static_cast<double>(red), static_cast<double>(green), static_cast<double>(blue)};
}

/// Black or white, whichever is easier to read on a colour.
cv::Scalar ink_on(const cv::Scalar& color) {
  const double luma = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2];
  return luma > 140 ? cv::Scalar(0, 0, 0) : cv::Scalar(255, 255, 255);
}

void draw(cv::Mat& picture, const DrawnBox& drawn) {
  const auto pixel = [](double value) { return static_cast<int>(std::lround(value)); };
  const cv::Rect frame(cv::Point(pixel(drawn.box.left), pixel(drawn.box.top)),
                       cv::Point(pixel(drawn.box.right), pixel(drawn.box.bottom)));
  const int side = std::min(picture.rows, picture.cols);
  const int thick = drawn.thin ? 1 : std::max(1, side / 240);
  const cv::Scalar color = color_of(drawn.label);
  cv::rectangle(picture, frame, color, thick);
  if (drawn.text.empty()) return;
  const double size = std::clamp(side / 1100.0, 0.35, 1.2);
  const std::string text = fitted(drawn.text, std::max(frame.width, side / 3), size);
  int below = 0;
  const cv::Size extent = cv::getTextSize(text, kPictureFont, size, 1, &below);
  const int height = extent.height + below + 2;
  const int top = frame.y >= height ? frame.y - height : frame.y;
  const int left = std::clamp(frame.x, 0, std::max(0, picture.cols - extent.width - 4));
  cv::rectangle(picture, cv::Rect(left, top, extent.width + 4, height), color, cv::FILLED);
  cv::putText(picture, text, {left + 2, top + extent.height + 1}, kPictureFont, size, ink_on(color),
              1, cv::LINE_AA);
}

std::string name_of(const std::vector<std::string>& class_names, int64_t label) {
  return label < std::ssize(class_names) ? class_names[label] : std::to_string(label);
}

}  // namespace

at::Tensor with_boxes(const at::Tensor& image, const std::vector<DrawnBox>& boxes) {
  at::Tensor result = image.contiguous().clone();
  cv::Mat picture(static_cast<int>(result.size(0)), static_cast<int>(result.size(1)), CV_8UC3,
                  result.mutable_data_ptr<uint8_t>());
  for (size_t i = boxes.size(); i-- > 0;) draw(picture, boxes[i]);
  return result;
}

at::Tensor with_objects(const at::Tensor& image, std::span<const Object> objects,
                        const std::vector<std::string>& class_names) {
  std::vector<DrawnBox> boxes;
  for (const Object& object : objects) {
    boxes.push_back({.box = object.box,
                     .label = object.label,
                     .text = name_of(class_names, object.label),
                     .thin = !object.is_learnt()});
  }
  return with_boxes(image, boxes);
}

at::Tensor with_detections(const at::Tensor& image, std::span<const Detection> found,
                           const std::vector<std::string>& class_names) {
  std::vector<DrawnBox> boxes;
  for (const auto& [box, label, score] : found) {
    boxes.push_back({box, label, fmt::format("{} {:.2f}", name_of(class_names, label), score)});
  }
  return with_boxes(image, boxes);
}

}  // namespace mobileone
