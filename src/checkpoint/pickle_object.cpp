#include "pickle_object.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "byte_cursor.h"

namespace mobileone {
namespace {

constexpr int kMaxDepth = 64;

class Converter {
 public:
  Value convert(const Object& object, int depth) {
    weigh(1);
    if (depth > kMaxDepth) throw Error("it is nested more than {} levels deep", kMaxDepth);
    return std::visit([&](const auto& content) { return convert(content, depth); }, object.content);
  }

 private:
  Value convert(std::monostate, int) { return {}; }
  Value convert(bool content, int) { return content; }
  Value convert(int64_t content, int) { return content; }
  Value convert(double content, int) { return content; }
  Value convert(const at::Tensor& content, int) { return content; }
  Value convert(const ListObject& list, int depth) { return convert(list.items, depth); }
  Value convert(const TupleObject& tuple, int depth) { return convert(tuple.items, depth); }
  Value convert(StorageType, int) { throw Error("a storage type stands where a value belongs"); }
  Value convert(const StorageObject&, int) {
    throw Error("a storage stands where a value belongs");
  }
  Value convert(Callable, int) { throw Error("a function stands where a value belongs"); }

  Value convert(const std::string& content, int) {
    weigh_text(content);
    return content;
  }

  Value convert(const Objects& items, int depth) {
    Value::List list;
    for (const Object* item : items) list.push_back(convert(*item, depth + 1));
    return list;
  }

  Value convert(const DictObject& object, int depth) {
    Value::Dict dict;
    for (const auto& [key, item] : object.items) {
      std::string name = convert_key(*key);
      if (dict.contains(name)) throw Error("a dict has the key '{}' twice", printable(name));
      dict.insert(std::move(name), convert(*item, depth + 1));
    }
    return dict;
  }

  std::string convert_key(const Object& object) {
    if (const auto* number = std::get_if<int64_t>(&object.content)) return std::to_string(*number);
    const auto* text = std::get_if<std::string>(&object.content);
    if (!text) throw Error("a dict's key is neither text nor an integer");
    weigh_text(*text);
    return *text;
  }

  void weigh_text(const std::string& text) { weigh(text.size() / 64); }

  void weigh(size_t weight) {
    weight_ += weight;
    if (weight_ > kMaxPickledValues) throw Error("it holds more than {} values", kMaxPickledValues);
  }

  size_t weight_ = 0;
};

std::vector<int64_t> integers(Object* tuple) {
  std::vector<int64_t> numbers;
  for (Object* item : expect<TupleObject>(tuple, "a tuple of integers").items) {
    numbers.push_back(expect<int64_t>(item, "an integer"));
  }
  return numbers;
}

/// Throws unless a view lies within a storage of `available` elements and has no more elements than
/// that (one that was expanded could swell to any size when it is copied).
void check_view(int64_t offset, const std::vector<int64_t>& sizes,
                const std::vector<int64_t>& strides, int64_t available) {
  int64_t count = 1, last = offset;
  bool valid = offset >= 0 && sizes.size() == strides.size() && sizes.size() <= kMaxDimensions;
  for (size_t i = 0; valid && i < sizes.size(); ++i) {
    const int64_t extent = std::max<int64_t>(sizes[i], 1);
    int64_t reach = 0;
    valid = sizes[i] >= 0 && strides[i] >= 0 && !__builtin_mul_overflow(count, extent, &count) &&
            !__builtin_mul_overflow(extent - 1, strides[i], &reach) &&
            !__builtin_add_overflow(last, reach, &last);
  }
  const bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
  valid = valid && (empty ? offset <= available : last < available && count <= available);
  if (!valid) {
    throw Error("a tensor is larger than its storage of {} elements, or lies outside it",
                available);
  }
}

}  // namespace

at::Tensor rebuild_tensor(const Objects& arguments) {
  // Then follow requires_grad and hooks; a seventh argument would mark the values as negated.
  if (arguments.size() != 6) throw Error("a tensor was expected to be made of 6 arguments");
  const auto& [storage, dtype] = expect<StorageObject>(arguments[0], "a tensor's storage");
  const int64_t offset = expect<int64_t>(arguments[1], "a storage offset");
  const auto sizes = integers(arguments[2]), strides = integers(arguments[3]);
  check_view(offset, sizes, strides, storage.nbytes() / at::elementSize(dtype));
  return at::empty({0}, dtype).set_(storage, offset, sizes, strides);
}

Value to_value(const Object& object) { return Converter().convert(object, 0); }

}  // namespace mobileone
