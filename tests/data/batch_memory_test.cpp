#include "mobileone/data/batch_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace mobileone {
namespace {

TEST(BatchMemory, IsUsedAgainOnceNobodyHoldsIt) {
  BatchMemory memory;
  at::Tensor first = memory.take(4, 3, 8, 6);
  EXPECT_EQ(first.sizes(), (std::vector<int64_t>{4, 3, 8, 6}));
  EXPECT_TRUE(first.is_contiguous(at::MemoryFormat::ChannelsLast));
  const void* address = first.data_ptr();

  at::Tensor part = first.narrow(0, 0, 2);
  first.reset();
  EXPECT_NE(memory.take(4, 3, 8, 6).data_ptr(), address) << "a view of it is held";
  part.reset();
  EXPECT_EQ(memory.take(4, 3, 8, 6).data_ptr(), address);
}

TEST(BatchMemory, OfAnotherSizeIsNew) {
  BatchMemory memory;
  const at::Tensor held = memory.take(1, 3, 8, 8).fill_(1);
  const at::Tensor other = memory.take(1, 3, 16, 16).fill_(2);
  EXPECT_EQ(other.size(2), 16);
  EXPECT_TRUE(held.eq(1).all().item<bool>());
}

}  // namespace
}  // namespace mobileone
