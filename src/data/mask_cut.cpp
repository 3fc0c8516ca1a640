#include "mobileone/data/mask_cut.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/index_mask.h"

namespace mobileone {
namespace {

/// The pixels of the picture that an axis of the window shows; -1 outside.
std::vector<int64_t> places_along(int64_t box_begin, int64_t box_length, int64_t resized,
                                  int64_t window_begin, int64_t window_length) {
  std::vector<int64_t> places(window_length);
  for (int64_t i = 0; i < window_length; ++i) {
    const int64_t at = window_begin + i;
    const bool inside = at >= 0 && at < resized;
    places[i] = inside ? box_begin + (2 * at + 1) * box_length / (2 * resized) : -1;
  }
  return places;
}

}  // namespace

at::Tensor cut_mask(const Cut& cut, const at::Tensor& mask) {
  const CropBox &box = cut.box, &window = cut.window;
  const auto rows = places_along(box.top, box.height, cut.height, window.top, window.height);
  auto columns = places_along(box.left, box.width, cut.width, window.left, window.width);
  if (cut.flip) std::reverse(columns.begin(), columns.end());
  const auto is_inside = [](int64_t place) { return place >= 0; };
  const auto first = std::find_if(columns.begin(), columns.end(), is_inside) - columns.begin();
  const auto last = first + std::count_if(columns.begin(), columns.end(), is_inside);
  const at::Tensor labels = mask.contiguous();
  at::Tensor result = at::empty({window.height, window.width}, at::kByte);
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  for (int64_t y = 0; y < window.height; ++y, out += window.width) {
    if (rows[y] < 0) {
      std::fill_n(out, window.width, kIgnored);
    } else if (y > 0 && rows[y] == rows[y - 1]) {
      std::copy_n(out - window.width, window.width, out);
    } else {
      const uint8_t* in = labels.const_data_ptr<uint8_t>() + rows[y] * labels.size(1);
      std::fill(out, out + first, kIgnored);
      for (int64_t x = first; x < last; ++x) out[x] = in[columns[x]];
      std::fill(out + last, out + window.width, kIgnored);
    }
  }
  return result;
}

double largest_share(const at::Tensor& mask) {
  const auto counts = label_counts(mask);
  const auto* const end = counts.begin() + kIgnored;
  const int64_t valid = std::accumulate(counts.begin(), end, int64_t{0});
  const int64_t most = *std::max_element(counts.begin(), end);
  return valid == 0 ? 1 : static_cast<double>(most) / static_cast<double>(valid);
}

}  // namespace mobileone
