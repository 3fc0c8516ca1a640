#include "fuzz.h"
#include "mobileone/data/annotation.h"
#include "mobileone/data/index_mask.h"

namespace mobileone::fuzz {

/// Whatever the file holds, a mask has classes below their number, and kIgnored.
void mask(std::string_view input) {
  expect_clean("x: ", [&] {
    const MaskLabels labels{.ignore_label = 11, .num_classes = 200};
    const at::Tensor decoded = decode_index_mask(input, "x", labels);
    if (decoded.dim() != 2) std::abort();
    const auto* label = decoded.const_data_ptr<uint8_t>();
    for (int64_t i = 0; i < decoded.numel(); ++i) {
      if (label[i] >= labels.num_classes && label[i] != kIgnored) std::abort();
    }
  });
}

}  // namespace mobileone::fuzz
