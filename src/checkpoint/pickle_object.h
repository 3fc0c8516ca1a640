#pragma once

#include <c10/core/ScalarType.h>
#include <c10/core/Storage.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mobileone/checkpoint/value.h"
#include "mobileone/util/error.h"

namespace mobileone {

/// At most so many values in a pickle, and so much weight in what it says (see `to_value`).
inline constexpr size_t kMaxPickledValues = 1 << 20;

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
/// A module of a TorchScript archive.
struct ModuleObject {
  Object* attributes = nullptr;  // a dict; none yet
};
/// A class of a TorchScript archive, of which there is nothing but the name.
struct ModuleClass {};

/// A class or function that is not among the known ones: nothing but its name.
struct UnknownGlobal {
  std::string name;  // "argparse.Namespace"
};
/// What would be no value here, such as an object that an unknown global would have made.
struct UnknownObject {
  std::string what;         // "an object made by argparse.Namespace"
  Object* state = nullptr;  // its attributes; none yet
};

/// What a storage is said to hold; nothing where it is bytes of any kind (UntypedStorage).
struct StorageType {
  std::optional<at::ScalarType> dtype;
};
/// So many bytes of a storage, from `begin`.
struct StorageObject {
  at::Storage storage;
  std::optional<at::ScalarType> dtype;
  int64_t begin, size;
};

/// The functions and classes that weights need called; what they do is in pickle_call.cpp.
enum class Callable {
  kDict,
  kDefaultDict,
  kSequence,
  kEncode,
  kByteArray,
  kDevice,
  kFirstArgument,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildFromType,
  kTensor,
};

struct Finished;

/// A Python object while a pickle still builds it. Unlike a Value it may be shared, be changed
/// after it was put somewhere, and contain itself; so objects refer to each other without owning.
struct Object {
  using Content =
      std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor, at::ScalarType,
                   ListObject, TupleObject, DictObject, ModuleObject, ModuleClass, UnknownGlobal,
                   UnknownObject, StorageType, StorageObject, Callable>;

  explicit Object(Content new_content);
  ~Object();

  Content content;
  std::unique_ptr<const Finished> finished;  // see to_value
};

/// The content as a T; throws Error unless it is one, calling it `what`.
template <typename T>
T& expect(Object* object, const char* what) {
  if (T* content = std::get_if<T>(&object->content)) return *content;
  throw Error("{} was expected", what);
}

/// What the items of a list or tuple are; throws Error for anything else, calling it `what`.
const Objects& expect_items(Object* object, const char* what);

/// What an object weighs beyond one: a text by its length, a dict by what was put into it at once.
size_t object_weight(const Object::Content& content);

/// The finished object and all in it. What is shared stays shared, so that this takes memory in
/// proportion to the objects; but it is weighed as the tree that a reader walks: a value weighs
/// one, and more if it is a long text. What is no value (an unknown object, a storage, a class, a
/// dict with keys of other kinds or repeated ones) becomes a placeholder; a module of `torch.nn`
/// that was pickled whole becomes its state dict. Throws Error for too much weight and for more
/// than 64 levels, which objects that contain themselves have.
Value to_value(Object& object);

/// The tensors of a TorchScript module and of those in it by qualified name ("stage0.0.weight").
/// Attributes that are neither tensors nor modules are left out. Throws Error as `to_value` does.
Value::Tensors module_tensors(Object& object);

}  // namespace mobileone
