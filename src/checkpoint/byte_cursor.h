#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "mobileone/util/error.h"

namespace mobileone {

static_assert(std::endian::native == std::endian::little, "files are read and written as they lie");

/// More than any tensor that a file may hold has.
inline constexpr size_t kMaxDimensions = 64;

/// A name out of a file, for messages: no control characters, not endlessly long.
inline std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 80));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

/// Walks over bytes that nobody vouches for: every length is checked against what is left.
class ByteCursor {
 public:
  explicit ByteCursor(std::string_view bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  std::string_view take(uint64_t count) {
    if (count > left()) {
      throw Error("is cut off or damaged: {} bytes expected at byte {}, {} are left", count,
                  position_, left());
    }
    position_ += count;
    return bytes_.substr(position_ - count, count);
  }

  template <typename Number>
  Number take() {
    Number number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }

  /// Up to the next newline, which is passed.
  std::string_view take_line() {
    const std::string_view line = take(bytes_.substr(position_).find('\n') + 1);
    if (line.empty()) throw Error("is cut off or damaged: no line ends after byte {}", position_);
    return line.substr(0, line.size() - 1);
  }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
};

}  // namespace mobileone
