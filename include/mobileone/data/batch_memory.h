#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <vector>

namespace mobileone {

/// Tensors for batches of images, used again once nobody holds them or a view of them any more: new
/// memory would be faulted in and cleared page by page for each batch, which costs more than
/// resizing its images. Used by several threads.
class BatchMemory {
 public:
  /// Uninitialised float32 [images, channels, height, width], channels last.
  at::Tensor take(int64_t images, int64_t channels, int64_t height, int64_t width);

 private:
  std::mutex mutex_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace mobileone
