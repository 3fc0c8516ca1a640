#include "mobileone/data/png.h"

#include <cstdint>

#include "mobileone/data/image.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr size_t kChunkFrame = 12;  // length, type and check sum, four bytes each
constexpr size_t kHeaderData = 13;

/// The bytes of the chunk that `rest` begins with.
std::string_view first_chunk(std::string_view rest, const std::string& name) {
  if (rest.size() < kChunkFrame || rest.size() - kChunkFrame < big_endian(rest, 0, 4)) {
    throw Error("{}: is a truncated PNG", name);
  }
  const std::string_view chunk = rest.substr(0, kChunkFrame + big_endian(rest, 0, 4));
  if (crc32(chunk.substr(4, chunk.size() - 8)) != big_endian(chunk, chunk.size() - 4, 4)) {
    throw Error("{}: is a damaged PNG (a check sum is wrong)", name);
  }
  return chunk;
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with(kSignature); }

std::string essential_png(std::string_view bytes, const std::string& name) {
  std::string result(kSignature);
  result.reserve(bytes.size());
  std::string_view rest = bytes.substr(kSignature.size());
  while (true) {
    const std::string_view chunk = first_chunk(rest, name);
    const std::string_view type = chunk.substr(4, 4);
    if ((result.size() == kSignature.size()) != (type == "IHDR")) {
      throw Error("{}: is a damaged PNG (its header is not its first part)", name);
    }
    if (type == "IHDR") {
      if (chunk.size() != kChunkFrame + kHeaderData) {
        throw Error("{}: is a damaged PNG (its header has a wrong length)", name);
      }
      require_image_size(static_cast<int64_t>(big_endian(chunk, 8, 4)),
                         static_cast<int64_t>(big_endian(chunk, 12, 4)), name);
    }
    // Bit 5 of a type's first letter marks a chunk that a decoder may do without.
    if ((type[0] & 0x20) == 0) result += chunk;
    if (type == "IEND") return result;
    rest.remove_prefix(chunk.size());
  }
}

}  // namespace mobileone
