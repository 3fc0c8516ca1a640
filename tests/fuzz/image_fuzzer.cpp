#include "fuzz.h"
#include "mobileone/data/exif.h"
#include "mobileone/data/image.h"

namespace mobileone::fuzz {

/// Whatever kind of image it is, in either orientation.
void image(std::string_view input) {
  const int orientation = exif_orientation(input);
  if (orientation < 1 || orientation > 8) std::abort();
  expect_clean("x: ", [&] {
    const at::Tensor decoded = decode_image(input, "x", /*upright=*/true);
    if (decoded.dim() != 3 || decoded.size(2) != 3) std::abort();
    touch(decoded);
  });
}

}  // namespace mobileone::fuzz
