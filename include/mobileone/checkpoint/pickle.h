#pragma once

#include <c10/core/ScalarType.h>
#include <c10/core/Storage.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// Hands over storage `key`, which has `count` elements of `element` bytes; their product fits
/// int64. Must throw Error unless it has exactly so many bytes.
using LoadStorage =
    std::function<at::Storage(const std::string& key, int64_t count, int64_t element)>;

/// Reads a pickle of protocol 2 to 5 as Python's `torch.load(weights_only=True)` does
/// (torch/_weights_only_unpickler.py): of its globals those that stand for something in a Value.
/// Nothing is ever run. Tuples and sets become lists; bytes, dtypes
/// ("torch.float16"), devices ("cuda:0") and layouts become text, as do integer keys, as in an
/// optimizer's state; an OrderedDict and a Counter become dicts; attributes such as a state_dict's
/// `_metadata` are dropped. Tensors are views of their storages. What other globals would have made
/// (an `argparse.Namespace`, a numpy array, a sparse tensor), integers of more than 64 bits, and
/// dicts with keys of other kinds become placeholders; an object that is given items, as one of a
/// class derived from dict is, becomes a list or dict; a `torch.nn.Module` becomes its state dict.
///
/// Throws Error, naming the byte, for globals that can only be there to act on the machine
/// (`os.system`, by name), lengths beyond the end, views beyond their storage, more than 64 levels
/// or a million values. What is allocated, beyond storages, is in proportion to the pickle.
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
