#include "mobileone/data/pnm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <vector>

#include "mobileone/data/image.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// What a PNM file holds, read from the front.
class PnmReader {
 public:
  PnmReader(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  Error truncated() const { return Error("{}: is a truncated PBM, PGM or PPM", name_); }
  Error damaged(const char* what) const {
    return Error("{}: is a damaged PBM, PGM or PPM ({})", name_, what);
  }

  size_t left() const { return rest_.size(); }

  std::string_view take(size_t count) {
    if (count > rest_.size()) throw truncated();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  /// The next character that is neither white space nor in a comment.
  char next_character() {
    while (true) {
      const char c = take(1)[0];
      if (c == '#') {
        skip_line();
      } else if (!is_space(c)) {
        return c;
      }
    }
  }

  /// The next number, and one character behind it.
  int64_t next_number() {
    constexpr int64_t kMost = 9'999'999'999;
    int64_t number = 0;
    for (char c = next_character();; c = take(1)[0]) {
      if (c < '0' || c > '9') throw damaged("a number is expected");
      number = 10 * number + (c - '0');
      if (number > kMost) throw damaged("a number is too large");
      if (rest_.empty()) return number;
      if (is_space(rest_.front())) {
        rest_.remove_prefix(1);
        return number;
      }
      if (rest_.front() == '#') {
        skip_line();
        return number;
      }
    }
  }

 private:
  void skip_line() {
    const size_t end = rest_.find_first_of("\r\n");
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  }

  static bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

  std::string_view rest_;
  const std::string& name_;
};

/// In Pillow's arithmetic: float64, halves to even.
std::vector<uint8_t> scaled_levels(int64_t maximum) {
  std::vector<uint8_t> levels;
  for (int64_t value = 0; value <= maximum; ++value) {
    levels.push_back(static_cast<uint8_t>(
        std::nearbyint(static_cast<double>(value) / static_cast<double>(maximum) * 255)));
  }
  return levels;
}

void read_bits(PnmReader& reader, bool plain, int64_t height, int64_t width, uint8_t* out) {
  for (int64_t row = 0; row < height; ++row) {
    const std::string_view packed = plain ? std::string_view() : reader.take((width + 7) / 8);
    for (int64_t column = 0; column < width; ++column) {
      if (plain) {
        const char bit = reader.next_character();
        if (bit != '0' && bit != '1') throw reader.damaged("a bit is neither 0 nor 1");
        *out++ = bit == '0' ? 255 : 0;
      } else {
        *out++ = (packed[column / 8] >> (7 - column % 8) & 1) == 0 ? 255 : 0;
      }
    }
  }
}

void read_levels(PnmReader& reader, bool plain, int64_t maximum, int64_t count, uint8_t* out) {
  if (!plain && maximum == 255) {
    std::memcpy(out, reader.take(count).data(), count);
    return;
  }
  const std::vector<uint8_t> levels = scaled_levels(maximum);
  if (plain) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t value = reader.next_number();
      if (value > maximum) throw reader.damaged("a level is above the maximum");
      *out++ = levels[value];
    }
    return;
  }
  const size_t width = maximum < 256 ? 1 : 2;
  const auto* in = reinterpret_cast<const uint8_t*>(reader.take(width * count).data());
  for (int64_t i = 0; i < count; ++i, in += width) {
    const int64_t value = width == 1 ? in[0] : in[0] << 8 | in[1];
    *out++ = levels[std::min(value, maximum)];
  }
}

}  // namespace

bool is_pnm(std::string_view bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         std::isspace(static_cast<unsigned char>(bytes[2])) != 0;
}

at::Tensor decode_pnm(std::string_view bytes, const std::string& name) {
  PnmReader reader(bytes, name);
  const int kind = reader.take(2)[1] - '0';
  const bool plain = kind <= 3;
  const bool bits = kind == 1 || kind == 4;
  const int64_t channels = kind == 3 || kind == 6 ? 3 : 1;
  const int64_t width = reader.next_number();
  const int64_t height = reader.next_number();
  require_image_size(width, height, name);
  const int64_t maximum = bits ? 1 : reader.next_number();
  if (maximum < 1 || maximum > 65535) throw reader.damaged("its maximum is not in 1 to 65535");
  // Before memory is taken: a bit takes an eighth of a byte, all else a byte or more.
  const int64_t count = height * width * channels;
  if (reader.left() < static_cast<size_t>(bits && !plain ? count / 8 : count)) {
    throw reader.truncated();
  }
  at::Tensor image = at::empty({height, width, channels}, at::kByte);
  auto* out = image.mutable_data_ptr<uint8_t>();
  if (bits) {
    read_bits(reader, plain, height, width, out);
  } else {
    read_levels(reader, plain, maximum, count, out);
  }
  return image.expand({height, width, 3}).contiguous();
}

}  // namespace mobileone
