#pragma once

#include <hwy/aligned_allocator.h>

#include <cstddef>

namespace mobileone::kernels {

/// Memory for `count` elements on this thread, aligned for vectors, kept from call to call: valid
/// until the thread next asks.
template <typename T>
T* scratch(size_t count) {
  thread_local hwy::AlignedFreeUniquePtr<T[]> memory;
  thread_local size_t size = 0;
  if (size < count) {
    memory = hwy::AllocateAligned<T>(count);
    size = count;
  }
  return memory.get();
}

}  // namespace mobileone::kernels
