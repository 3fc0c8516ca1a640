#include <ATen/ATen.h>

#include <cstring>

#include "fuzz.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/resize.h"

namespace mobileone::fuzz {

/// What the last bytes of an input choose: the box, its scale and what it is resized to.
struct Choice {
  uint16_t top, left, height, width;
  uint8_t scale, rows, columns, flip;
};

/// 1 to `most`.
int64_t some(int64_t number, int64_t most) { return 1 + number % most; }

Cut cut_of(const Choice& choice, int64_t height, int64_t width) {
  const int64_t h = some(choice.height, height), w = some(choice.width, width);
  const int64_t rows = some(choice.rows, 64), columns = some(choice.columns, 64);
  return {
      .box = {choice.top % (height - h + 1), choice.left % (width - w + 1), h, w},
      .height = rows,
      .width = columns,
      .window = {-(rows / 2), columns / 2, rows, columns},
      .flip = choice.flip % 2 == 1,
      .interpolation = choice.flip % 4 < 2 ? Interpolation::kBilinear : Interpolation::kBicubic};
}

/// Decodes the box and hands it to the resizer; at full size its pixels are those of the whole.
void decode_in_part(std::string_view bytes, const Choice& choice) {
  constexpr int64_t kMostPixels = 1 << 18;  // a larger image only takes longer
  JpegFile file(bytes, "x.jpg");
  if (!file.has_boxes() || file.height() > kMostPixels / file.width()) return;
  const Cut cut = cut_of(choice, file.height(), file.width());
  const int eighths = 1 << choice.scale % 4;
  std::vector<uint8_t> memory;
  const Patch patch = file.decode_box(cut.box, eighths, memory);
  Resizer()(patch, cut, [](const uint8_t*, int64_t) {});
  if (eighths != 8) return;
  const at::Tensor whole = decode_jpeg(bytes, "x.jpg");
  for (int64_t row = 0; row < patch.rows; ++row) {
    const auto* expected =
        whole.const_data_ptr<uint8_t>() + ((cut.box.top + row) * file.width() + cut.box.left) * 3;
    if (std::memcmp(patch.pixels + row * patch.stride, expected, 3 * patch.columns) != 0) {
      std::fprintf(stderr, "row %d of the box differs from the whole image's\n",
                   static_cast<int>(row));
      std::abort();
    }
  }
}

void jpeg(std::string_view input) {
  Choice choice;
  if (input.size() < sizeof choice) return;
  const std::string_view bytes = input.substr(0, input.size() - sizeof choice);
  std::memcpy(&choice, bytes.data() + bytes.size(), sizeof choice);
  expect_clean("x.jpg: ", [&] { decode_in_part(bytes, choice); });
}

}  // namespace mobileone::fuzz
