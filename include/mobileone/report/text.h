#pragma once

#include <string>
#include <string_view>

namespace mobileone {

/// The text with U+FFFD in place of each byte that is no part of valid UTF-8 (RFC 3629): what may
/// be printed, or dumped as JSON, wherever it came from.
std::string valid_utf8(std::string_view text);

/// The text as content or quoted attribute of XML and HTML: valid UTF-8, `& < > " '` as entities,
/// U+FFFD in place of characters that XML forbids (section 2.2).
std::string xml_escaped(std::string_view text);

/// A number with so many decimals; `none` where it is not finite.
std::string number_or(std::string_view none, double value, int decimals = 2);

/// Base64 with padding (RFC 4648), for embedding bytes in a page.
std::string base64(std::string_view bytes);

/// About the width, px, of a text set in a sans-serif of `font_size` px; there are no fonts here to
/// measure it with.
double text_width(std::string_view text, double font_size);

/// The text, or its beginning and end around an ellipsis where it is wider than `width` px.
std::string shortened(std::string_view text, double font_size, double width);

}  // namespace mobileone
