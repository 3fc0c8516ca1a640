#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mobileone {

/// The first picture of an animation, at (left, top) of a transparent canvas.
struct WebpAnimation {
  int64_t width;  ///< of the canvas, in px, as all of it
  int64_t height;
  int64_t left;
  int64_t top;
  std::string picture;  ///< a WebP file of its own, without its transparency
};

/// The animation that a WebP file holds; nothing if `bytes` are a still picture or no WebP. Throws
/// Error naming `name` if it is truncated or has no picture.
std::optional<WebpAnimation> webp_animation(std::string_view bytes, const std::string& name);

}  // namespace mobileone
