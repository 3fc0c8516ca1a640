#pragma once

#include <c10/core/ScalarType.h>
#include <c10/core/Storage.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// Hands over the bytes of storage `key`; must throw Error unless it has exactly `size` bytes.
using LoadStorage = std::function<at::Storage(const std::string& key, uint64_t size)>;

/// Reads a pickle as Python's `torch.load(weights_only=True)` does
/// (torch/_weights_only_unpickler.py): its opcodes, and of its globals `collections.OrderedDict`,
/// `torch.Size`, the storage types from `torch.BoolStorage` to `torch.DoubleStorage`,
/// `_rebuild_tensor_v2` and `_rebuild_parameter`. Nothing is ever run. Tuples become lists; integer
/// keys, as in an optimizer's state, become text; attributes such as a state_dict's `_metadata` are
/// dropped. Tensors are views of their storages.
///
/// Throws Error, naming the byte, for anything else: other globals (by name), lengths beyond the
/// end, views beyond their storage, more than 64 levels or four million values.
Value unpickle(std::string_view bytes, const LoadStorage& load_storage);

/// Takes a storage whose elements are `dtype` and returns the key it will be found under. Storages
/// that tensors share come once for each tensor.
using StoreStorage = std::function<std::string(const at::Storage& storage, at::ScalarType dtype)>;

/// The inverse of `unpickle`, readable by Python's `torch.load(weights_only=True)`: protocol 2.
/// Dicts of nothing but tensors become `collections.OrderedDict`, as a state_dict is. Tensors keep
/// their strides and say nothing of their device. Throws Error for a tensor of a dtype or layout
/// that torch has no storage type for (complex, sparse, quantized).
std::string pickle(const Value& value, const StoreStorage& store_storage);

}  // namespace mobileone
