#pragma once

#include <atomic>
#include <cstring>
#include <string>

#include "mobileone/data/image_storage.h"
#include "mobileone/util/system_error.h"

namespace mobileone {

/// Images "0", "1", ..., or all of them one file's bytes, the first of which the system cannot read
/// for a while.
class FailingStorage : public ImageStorage {
 public:
  explicit FailingStorage(std::string bytes = "") : bytes_(std::move(bytes)) {}

  /// The next `times` readings of the first fail with this errno.
  void fail(int times, int code) { code_ = code, left_ = times; }

  std::string name(int64_t index) const override { return "image " + std::to_string(index); }
  std::string relative_name(int64_t index) const override { return name(index); }
  StoredImage read(int64_t index) const override {
    if (index == 0 && left_-- > 0) {
      throw SystemError(code_, "{}: cannot be read: {}", name(index), std::strerror(code_));
    }
    return StoredImage(bytes_.empty() ? std::to_string(index) : bytes_);
  }

 private:
  std::string bytes_;
  int code_ = 0;
  mutable std::atomic<int> left_ = 0;
};

}  // namespace mobileone
