#include "mobileone/util/one_line.h"

#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

bool is_obeyed(char32_t code) {
  const auto within = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
  return code < 0x20 || within(0x7f, 0x9f) || within(0x200e, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2066, 0x2069);
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  for (const Character& character : characters(text)) {
    line += is_obeyed(character.code) ? "?" : character.bytes;
  }
  return line;
}

}  // namespace mobileone
