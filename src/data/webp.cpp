#include "mobileone/data/webp.h"

#include <algorithm>

#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr size_t kRiffHeader = 12;   // "RIFF", the length of what follows, "WEBP"
constexpr size_t kChunkHeader = 8;   // type and length
constexpr size_t kFrameHeader = 16;  // place, size, duration and flags of an animation's picture

int64_t number(std::string_view bytes, size_t offset, size_t length) {
  return static_cast<int64_t>(little_endian(bytes, offset, length));
}

/// The first chunk of `type` in a sequence of chunks, without its header; throws if there is none
/// that is whole.
std::string_view find_chunk(std::string_view chunks, std::string_view type,
                            const std::string& name) {
  while (chunks.size() >= kChunkHeader) {
    const auto length = static_cast<size_t>(little_endian(chunks, 4, 4));
    if (length > chunks.size() - kChunkHeader) break;
    if (chunks.starts_with(type)) return chunks.substr(kChunkHeader, length);
    chunks.remove_prefix(std::min(kChunkHeader + length + length % 2, chunks.size()));
  }
  throw Error("{}: is a truncated WebP animation", name);
}

std::string still_webp(std::string_view type, std::string_view coded) {
  const size_t padding = coded.size() % 2;
  std::string file = "RIFF";
  append_little_endian(file, 4 + kChunkHeader + coded.size() + padding, 4);
  file.append("WEBP").append(type);
  append_little_endian(file, coded.size(), 4);
  return file.append(coded).append(padding, '\0');
}

}  // namespace

std::optional<WebpAnimation> webp_animation(std::string_view bytes, const std::string& name) {
  constexpr int64_t kAnimated = 2;
  const size_t flags = kRiffHeader + kChunkHeader;
  if (!bytes.starts_with("RIFF") || bytes.size() <= flags || bytes.substr(8, 8) != "WEBPVP8X" ||
      (bytes[flags] & kAnimated) == 0) {
    return std::nullopt;
  }
  const std::string_view chunks = bytes.substr(kRiffHeader);
  const std::string_view canvas = find_chunk(chunks, "VP8X", name);
  const std::string_view frame = find_chunk(chunks, "ANMF", name);
  if (canvas.size() < 10 || frame.size() < kFrameHeader) {
    throw Error("{}: is a damaged WebP animation", name);
  }
  const std::string_view picture = frame.substr(kFrameHeader);
  const std::string_view type = picture.starts_with("VP8L") ? "VP8L" : "VP8 ";
  return WebpAnimation{.width = 1 + number(canvas, 4, 3),
                       .height = 1 + number(canvas, 7, 3),
                       .left = 2 * number(frame, 0, 3),
                       .top = 2 * number(frame, 3, 3),
                       .picture = still_webp(type, find_chunk(picture, type, name))};
}

}  // namespace mobileone
