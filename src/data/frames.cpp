#include "mobileone/data/frames.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "mobileone/data/bmp.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/data/gif.h"
#include "mobileone/data/image.h"
#include "mobileone/data/image_storage.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/png.h"
#include "mobileone/data/pnm.h"
#include "mobileone/data/tiff.h"
#include "mobileone/data/webp.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

using namespace std::string_view_literals;

bool is_white(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

}  // namespace

FrameReader::FrameReader(int descriptor, std::string name)
    : descriptor_(descriptor), name_(std::move(name)) {}

bool FrameReader::have(size_t count) {
  char part[65536];
  while (bytes_.size() < count) {
    const ssize_t got = ::read(descriptor_, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error("{} cannot be read: {}", name_, std::strerror(errno));
    if (got == 0) return false;
    bytes_.append(part, static_cast<size_t>(got));
    if (bytes_.size() > kLargestImageFile) {
      throw Error("{}: an image has more than the {} bytes that are read", name_,
                  kLargestImageFile);
    }
  }
  return true;
}

void FrameReader::skip_padding() {
  size_t padding = 0;
  while (have(padding + 1) && (bytes_[padding] == '\0' || is_white(bytes_[padding]))) ++padding;
  bytes_.erase(0, padding);
}

std::optional<std::string> FrameReader::next() {
  constexpr size_t kMark = 16;  // tells an image
  if (count_ > 0) skip_padding();
  have(kMark);
  if (bytes_.empty()) return std::nullopt;
  if (count_ > 0 && !is_image(bytes_)) {
    log::warning("{}: what follows image {} is {} and is left out", name_, count_,
                 file_kind(bytes_));
    bytes_.clear();
    return std::nullopt;
  }
  const std::optional<size_t> end = end_of_image();
  if (count_ > 0) require_end();
  while (!end && have(bytes_.size() + 1)) {
  }
  std::string image = bytes_.substr(0, end.value_or(bytes_.size()));
  bytes_.erase(0, image.size());
  ++count_;
  return image;
}

/// Throws Error if the image is of a kind that never says where it ends.
void FrameReader::require_end() const {
  const bool is_plain = is_pnm(bytes_) && bytes_[1] < '4';
  if (!is_plain && !is_tiff(bytes_)) return;
  throw Error(
      "{}: image {} is {}, which does not say where it ends; expected JPEG, PNG, WebP, GIF, "
      "BMP or binary PPM, PGM or PBM",
      name_, count_ + 1, is_plain ? "a plain PPM, PGM or PBM" : "a TIFF image");
}

std::optional<size_t> FrameReader::end_of_image() {
  if (is_jpeg(bytes_)) return end_of_jpeg();
  if (is_png(bytes_)) return end_of_png();
  if (is_webp(bytes_)) return end_of_webp();
  if (is_gif(bytes_)) return end_of_gif();
  if (is_bmp(bytes_)) return end_of_bmp();
  if (is_pnm(bytes_)) return end_of_pnm();
  return std::nullopt;
}

/// Goes from marker to marker. Where it is damaged, the next one counts.
std::optional<size_t> FrameReader::end_of_jpeg() {
  constexpr uint8_t kFirstSegment = 0xc0, kFirstRestart = 0xd0, kStart = 0xd8, kEnd = 0xd9,
                    kPictures = 0xe2;
  size_t place = 2;
  while (have(place)) {
    place = std::min(bytes_.find('\xff', place), bytes_.size());
    if (!have(place + 2)) break;
    if (byte(place) != 0xff) continue;  // what had come before held none
    const uint8_t marker = byte(place + 1);
    if (marker == kStart) return place;  // the image was cut off
    place += marker == 0xff ? 1 : 2;
    if (marker == kEnd) return place;
    const bool is_restart = marker >= kFirstRestart && marker < kStart;
    if (marker < kFirstSegment || is_restart || marker == 0xff) continue;
    if (!have(place + 6)) break;
    if (marker == kPictures && bytes_.compare(place + 2, 4, "MPF\0"sv) == 0) break;
    place += big_endian(bytes_, place, 2);
  }
  return std::nullopt;
}

std::optional<size_t> FrameReader::end_of_png() {
  for (size_t place = 8; have(place + 8);) {  // its chunks: length, kind, contents, check sum
    const bool is_last = bytes_.compare(place + 4, 4, "IEND") == 0;
    place += 12 + big_endian(bytes_, place, 4);
    if (is_last) return have(place) ? std::optional(place) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<size_t> FrameReader::end_of_webp() {
  const size_t size = little_endian(bytes_, 4, 4);
  const size_t end = 8 + size + size % 2;
  return have(end) ? std::optional(end) : std::nullopt;
}

std::optional<size_t> FrameReader::end_of_bmp() {
  constexpr size_t kHeader = 26;
  const size_t end = have(kHeader) ? little_endian(bytes_, 2, 4) : 0;
  return end >= kHeader && have(end) ? std::optional(end) : std::nullopt;
}

/// Block by block: a header and perhaps a palette, then extensions and pictures, each followed by
/// parts of up to 255 bytes.
std::optional<size_t> FrameReader::end_of_gif() {
  constexpr uint8_t kExtension = 0x21, kPicture = 0x2c, kEnd = 0x3b;
  const auto palette = [&](size_t flags) -> size_t {
    return (byte(flags) & 0x80) != 0 ? size_t{3} << ((byte(flags) & 7) + 1) : 0;
  };
  if (!have(13)) return std::nullopt;
  size_t place = 13 + palette(10);
  while (have(place + 1)) {
    const uint8_t kind = byte(place++);
    if (kind == kEnd) return place;
    if (kind == kPicture && have(place + 9)) {
      place += 10 + palette(place + 8);
    } else if (kind == kExtension) {
      ++place;
    } else {
      break;
    }
    while (have(place + 1) && byte(place) != 0) place += 1 + byte(place);
    ++place;
  }
  return std::nullopt;
}

std::optional<size_t> FrameReader::end_of_pnm() {
  const char kind = bytes_[1];
  const bool is_bits = kind == '4';
  if (kind < '4') return std::nullopt;  // plain
  uint64_t numbers[] = {0, 0, 1};       // width, height, largest level
  size_t place = 2;
  const auto skip = [&] {  // white space, or a comment and its line end
    const bool is_comment = bytes_[place] == '#';
    while (is_comment && have(place + 1) && bytes_[place] != '\n' && bytes_[place] != '\r') ++place;
    ++place;
  };
  for (uint64_t& number : std::span(numbers).first(is_bits ? 2 : 3)) {
    while (have(place + 1) && (is_white(bytes_[place]) || bytes_[place] == '#')) skip();
    for (number = 0; have(place + 1) && std::isdigit(byte(place)) != 0; ++place) {
      number = 10 * number + (byte(place) - '0');
      if (number > kLargestImageFile) return std::nullopt;
    }
    if (have(place + 1)) skip();
  }
  const uint64_t width = numbers[0], height = numbers[1];
  const uint64_t samples = is_bits ? (width + 7) / 8 : width * (kind == '6' ? 3 : 1);
  const uint64_t row = samples * (numbers[2] > 255 ? 2 : 1);
  if (height != 0 && row > kLargestImageFile / height) return std::nullopt;
  const size_t end = place + row * height;
  return have(end) ? std::optional(end) : std::nullopt;
}

}  // namespace mobileone
