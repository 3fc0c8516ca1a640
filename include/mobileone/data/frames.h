#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mobileone {

/// The images of a stream, one behind the other, as `ffmpeg -f image2pipe` writes the frames of a
/// video: JPEG, PNG, WebP, GIF, BMP, PBM, PGM and PPM (not the plain ones), which say where they
/// end. To a first image of another kind, and to a JPEG that says that it holds several pictures
/// (CIPA DC-007), all that follows belongs.
class FrameReader {
 public:
  /// `descriptor` stays the caller's; `name` is for messages.
  FrameReader(int descriptor, std::string name);

  /// The bytes of the next image as soon as its last one has come, empty at the end of the stream.
  /// The first may be no image. What follows an image and is none, but for zeros and white space,
  /// is left out with a warning. Throws Error if the stream cannot be read, an image is larger than
  /// kLargestImageFile, or one behind the first does not say where it ends.
  std::optional<std::string> next();

 private:
  /// Reads until there are so many bytes; false if the stream ends before.
  bool have(size_t count);
  uint8_t byte(size_t place) const { return static_cast<uint8_t>(bytes_[place]); }
  void skip_padding();
  void require_end() const;

  // Where the image ends that `bytes_` begin with; empty if it does not say so.
  std::optional<size_t> end_of_image();
  std::optional<size_t> end_of_jpeg();
  std::optional<size_t> end_of_png();
  std::optional<size_t> end_of_webp();
  std::optional<size_t> end_of_bmp();
  std::optional<size_t> end_of_gif();
  std::optional<size_t> end_of_pnm();

  const int descriptor_;
  const std::string name_;
  std::string bytes_;  ///< that are read and not handed out
  int64_t count_ = 0;  ///< images handed out
};

}  // namespace mobileone
