#include "fuzz.h"
#include "mobileone/data/pack.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"

namespace mobileone::fuzz {
namespace {

void store_crc(std::string& bytes, size_t place, size_t begin, size_t size) {
  std::string crc;
  append_little_endian(crc, crc32c(bytes.substr(begin, size)), 4);
  bytes.replace(place, 4, crc);
}

/// Makes the check sums of header and index right, which a fuzzer would not get past.
void seal(std::string& bytes) {
  if (bytes.size() < 160) return;
  store_crc(bytes, 124, 0, 124);
  const size_t footer = bytes.size() - 32;
  const uint64_t begin = little_endian(bytes, footer, 8);
  if (begin <= footer) store_crc(bytes, footer + 16, begin, footer - begin);
}

}  // namespace

void pack(std::string_view input) {
  std::string bytes(input);
  seal(bytes);
  expect_clean("pack", [&] {
    const ImageList list = parse_pack(bytes, "pack");
    for (int64_t i = 0; i < list.size(); ++i) {
      if (list.labels[i] < (list.masks || list.objects ? -1 : 0) || list.name(i).size() < 6)
        std::abort();
      expect_clean("", [&] {
        const StoredImage image = list.storage->read(i);
        if (image.is_decoded()) touch(image.pixels());
      });
      expect_clean("", [&] { touch(list.annotation(i).mask); });
    }
  });
}

}  // namespace mobileone::fuzz
