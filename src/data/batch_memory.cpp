#include "mobileone/data/batch_memory.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace mobileone {

at::Tensor BatchMemory::take(int64_t images, int64_t channels, int64_t height, int64_t width) {
  const std::array<int64_t, 4> sizes = {images, channels, height, width};
  const std::lock_guard lock(mutex_);
  std::erase_if(tensors_,
                [&](const at::Tensor& tensor) { return tensor.sizes() != at::IntArrayRef(sizes); });
  // Whoever has a view of a tensor, such as a batch of fewer images, shares its storage.
  auto tensor = std::find_if(tensors_.begin(), tensors_.end(), [](const at::Tensor& held) {
    return held.storage().use_count() == 1;
  });
  std::atomic_thread_fence(std::memory_order_acquire);  // what others read, they have read
  if (tensor == tensors_.end()) {
    tensor = tensors_.insert(tensor, at::empty(sizes, at::kFloat, at::MemoryFormat::ChannelsLast));
  }
  return tensor->detach();
}

}  // namespace mobileone
