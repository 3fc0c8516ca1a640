#pragma once

#include <c10/core/ScalarType.h>
#include <c10/core/Storage.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mobileone/checkpoint/value.h"
#include "mobileone/util/error.h"

namespace mobileone {

/// At most so many values in a pickle, and so much weight in what it says (see `to_value`).
inline constexpr size_t kMaxPickledValues = 1 << 22;

struct Object;
using Objects = std::vector<Object*>;

struct ListObject {
  Objects items;
};
struct TupleObject {
  Objects items;
};
struct DictObject {
  std::vector<std::pair<Object*, Object*>> items;
};
struct StorageType {
  at::ScalarType dtype;
};
struct StorageObject {
  at::Storage storage;
  at::ScalarType dtype;
};
enum class Callable { kOrderedDict, kSize, kRebuildTensor, kRebuildParameter };

/// A Python object while a pickle still builds it. Unlike a Value it may be shared, be changed
/// after it was put somewhere, and contain itself; so objects refer to each other without owning.
struct Object {
  std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor, ListObject,
               TupleObject, DictObject, StorageType, StorageObject, Callable>
      content;
};

/// The content as a T; throws Error unless it is one, calling it `what`.
template <typename T>
T& expect(Object* object, const char* what) {
  if (T* content = std::get_if<T>(&object->content)) return *content;
  throw Error("{} was expected", what);
}

/// What `torch._utils._rebuild_tensor_v2` returns: a view of a storage, checked to lie within it.
at::Tensor rebuild_tensor(const Objects& arguments);

/// The finished object and all in it. Throws Error for more than 64 levels (which objects that
/// contain themselves have), for repeated keys, and for what is no value (a storage, a class).
/// Shared objects become several values: a value weighs one, and more if it is a long text, and the
/// sum is limited so that sharing cannot swell a small file.
Value to_value(const Object& object);

}  // namespace mobileone
