#include "mobileone/data/yolo_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "mobileone/config/model.h"
#include "mobileone/util/error.h"
#include "mobileone/util/number.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

/// The box of a line: of its centre and sides or, where there are more numbers, of its polygon.
Box yolo_box(const std::vector<double>& numbers, const ImageSize& size) {
  const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
  if (numbers.size() == 4) {
    const double x = numbers[0], y = numbers[1], w = numbers[2] / 2, h = numbers[3] / 2;
    return {(x - w) * width, (y - h) * height, (x + w) * width, (y + h) * height};
  }
  Box box{1, 1, 0, 0};
  for (size_t i = 0; i < numbers.size(); i += 2) {
    box = {std::min(box.left, numbers[i]), std::min(box.top, numbers[i + 1]),
           std::max(box.right, numbers[i]), std::max(box.bottom, numbers[i + 1])};
  }
  return {box.left * width, box.top * height, box.right * width, box.bottom * height};
}

}  // namespace

std::vector<Object> parse_yolo_text(const std::string& text, const std::string& name,
                                    const ImageSize& size, int64_t classes) {
  std::vector<Object> objects;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  std::istringstream lines(text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size())
                                                            : text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    const auto fail = [&](const std::string& what) {
      return Error("{}:{}: {}", name, number, what);
    };
    const auto label = parse_number<int64_t>(word);
    const int64_t most = classes > 0 ? classes : kMostClasses;
    if (!label || *label < 0 || *label >= most) {
      throw fail(fmt::format("its class is `{}`, expected a number from 0 to {}", one_line(word),
                             most - 1));
    }
    std::vector<double> numbers;
    while (words >> word) {
      const auto value = parse_number<double>(word);
      if (!value || !(*value >= 0 && *value <= 1)) {
        throw fail(fmt::format("`{}` is no share of the image, expected a number from 0 to 1",
                               one_line(word.substr(0, 40))));
      }
      numbers.push_back(*value);
    }
    if (numbers.size() != 4 && (numbers.size() < 6 || numbers.size() % 2 == 1)) {
      throw fail(
          fmt::format("has {} numbers behind its class, expected the 4 of a box, or x and y "
                      "of three or more vertices",
                      numbers.size()));
    }
    const Box box = yolo_box(numbers, size);
    objects.push_back({.box = box, .label = static_cast<int32_t>(*label), .area = box.area()});
  }
  return objects;
}

}  // namespace mobileone
