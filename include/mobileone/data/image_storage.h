#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mobileone {

/// Of the largest image that is read, uncompressed, and more.
inline constexpr uint64_t kLargestImageFile = uint64_t{1} << 30;  // bytes

/// An image as it is stored: either the bytes of an image file, or pixels.
class StoredImage {
 public:
  explicit StoredImage(std::string bytes) : owned_(std::move(bytes)) {}
  /// `mapped` is read without a copy, and must stay as long as this.
  explicit StoredImage(std::string_view mapped) : mapped_(mapped) {}
  /// uint8 [H,W,3], RGB, or the labels [H,W] of a mask; may be a view of mapped memory, which is
  /// never written to.
  explicit StoredImage(at::Tensor pixels) : pixels_(std::move(pixels)) {}

  bool is_decoded() const { return pixels_.defined(); }
  const at::Tensor& pixels() const { return pixels_; }
  /// Of the image file, if it is not decoded.
  std::string_view bytes() const { return owned_.empty() ? mapped_ : std::string_view(owned_); }

 private:
  std::string owned_;
  std::string_view mapped_;
  at::Tensor pixels_;
};

/// Where the images of a data set lie. May be read by several threads at once.
class ImageStorage {
 public:
  virtual ~ImageStorage() = default;

  /// For messages: the path of a file, "DIR/shard-01.tar > 0042.jpg", ...
  virtual std::string name(int64_t index) const = 0;

  /// The same without where the data set lies.
  virtual std::string relative_name(int64_t index) const = 0;

  /// Throws Error naming the image if it cannot be read or fails its check sum. What is returned
  /// may point into the storage.
  virtual StoredImage read(int64_t index) const = 0;

  /// Bytes of the image file, where that can be told without reading it.
  virtual std::optional<uint64_t> file_size(int64_t) const { return std::nullopt; }

  /// Where stretches of images begin that should be read in their order, the first at 0; empty
  /// where one order is as good as another.
  virtual std::vector<int64_t> stretches() const { return {}; }
};

}  // namespace mobileone
