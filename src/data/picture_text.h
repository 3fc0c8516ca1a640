#pragma once

#include <string>

namespace mobileone {

/// OpenCV's number of the font that pictures are labelled in.
extern const int kPictureFont;

/// Pixels that a text takes in it.
int text_width(const std::string& text, double size);

/// What of a text fits into `width` pixels, in ASCII: what the font lacks is written as Python
/// writes it, \\u732b.
std::string fitted(const std::string& text, int width, double size);

}  // namespace mobileone
