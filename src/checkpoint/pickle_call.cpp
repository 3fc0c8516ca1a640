#include "pickle_call.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "byte_cursor.h"

namespace mobileone {
namespace {

using Content = Object::Content;

constexpr const char* kOtherView = "a tensor whose values are to be negated or conjugated";

void expect_arguments(const Objects& arguments, size_t least, size_t most) {
  if (arguments.size() >= least && arguments.size() <= most) return;
  throw Error("a call with {} arguments, expected {} to {}", arguments.size(), least, most);
}

std::vector<int64_t> integers(Object* tuple) {
  const Objects& items = expect_items(tuple, "a tuple of integers");
  if (items.size() > kMaxDimensions) throw Error("a tensor of {} dimensions", items.size());
  std::vector<int64_t> numbers;
  for (Object* item : items) {
    numbers.push_back(expect<int64_t>(item, "an integer"));
  }
  return numbers;
}

/// Throws unless a view lies within a storage of `available` elements and has no more elements than
/// that (one that was expanded could swell to any size when it is copied).
void check_view(int64_t offset, const std::vector<int64_t>& sizes,
                const std::vector<int64_t>& strides, int64_t available) {
  int64_t count = 1, last = offset;
  bool valid = offset >= 0 && sizes.size() == strides.size();
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

/// The first four arguments are storage, offset, sizes and strides; offsets count elements.
Content rebuild_tensor(const Objects& arguments, std::optional<at::ScalarType> dtype) {
  const auto& storage = expect<StorageObject>(arguments[0], "a tensor's storage");
  if (!dtype) dtype = storage.dtype;
  if (!dtype) throw Error("a tensor of a storage that has no dtype");
  if (at::isQIntType(*dtype)) throw Error("a quantized tensor that does not say how");
  const auto element = static_cast<int64_t>(at::elementSize(*dtype));
  const int64_t offset = expect<int64_t>(arguments[1], "a storage offset");
  const auto sizes = integers(arguments[2]), strides = integers(arguments[3]);
  check_view(offset, sizes, strides, storage.size / element);
  if (storage.begin % element != 0) throw Error("a tensor between two elements of its storage");
  return at::empty({0}, *dtype)
      .set_(storage.storage, storage.begin / element + offset, sizes, strides);
}

/// Beyond those four: whether it requires a gradient, its hooks, and which views of others it is,
/// where that is not the plain one.
bool is_view_of_another_kind(const Objects& arguments, size_t index) {
  if (index >= arguments.size()) return false;
  const Content& metadata = arguments[index]->content;
  const auto* dict = std::get_if<DictObject>(&metadata);
  return !std::holds_alternative<std::monostate>(metadata) && !(dict && dict->items.empty());
}

std::optional<Content> make_dict(const Objects& arguments) {
  expect_arguments(arguments, 0, 1);
  if (arguments.empty()) return DictObject();
  if (std::holds_alternative<DictObject>(arguments[0]->content)) return std::nullopt;
  DictObject dict;
  for (Object* item : expect_items(arguments[0], "a dict or a list of pairs")) {
    const Objects& pair = expect_items(item, "a pair of key and value");
    if (pair.size() != 2) throw Error("a pair of key and value was expected");
    dict.items.emplace_back(pair[0], pair[1]);
  }
  return dict;
}

std::optional<Content> make_sequence(const Objects& arguments) {
  expect_arguments(arguments, 0, 1);
  if (arguments.empty()) return ListObject();
  expect_items(arguments[0], "a list or a tuple");
  return std::nullopt;
}

/// Bytes, which Python writes as a text of the characters U+0000 to U+00FF.
Content encode_latin1(const Objects& arguments) {
  expect_arguments(arguments, 2, 2);
  const auto& encoding = expect<std::string>(arguments[1], "an encoding's name");
  if (encoding != "latin1" && encoding != "latin-1") {
    throw Error("bytes are encoded as {}, expected latin1", printable(encoding));
  }
  const auto& text = expect<std::string>(arguments[0], "a text to encode");
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
    } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text.size()) {
      bytes += static_cast<char>((lead & 3) << 6 | (text[++i] & 0x3f));
    } else {
      throw Error("a text has characters that latin1 lacks");
    }
  }
  return bytes;
}

Content make_byte_array(const Objects& arguments) {
  expect_arguments(arguments, 0, 2);
  if (arguments.empty()) return std::string();
  if (arguments.size() == 2) return encode_latin1(arguments);
  return expect<std::string>(arguments[0], "bytes");
}

/// "cuda:0", as Python prints it.
Content make_device(const Objects& arguments) {
  expect_arguments(arguments, 1, 2);
  std::string device = expect<std::string>(arguments[0], "a device's name");
  if (arguments.size() == 1) return device;
  return device + ":" + std::to_string(expect<int64_t>(arguments[1], "a device's index"));
}

bool is_unknown(const Object* object) {
  return std::holds_alternative<UnknownGlobal>(object->content) ||
         std::holds_alternative<UnknownObject>(object->content);
}

/// A tensor with attributes, which are dropped: (function, class, its arguments, attributes).
std::optional<Content> rebuild_from_type(const Objects& arguments) {
  expect_arguments(arguments, 4, 4);
  if (is_unknown(arguments[0])) return UnknownObject{"a tensor of a kind that is not known"};
  const auto function = expect<Callable>(arguments[0], "a function to call");
  if (function != Callable::kRebuildTensorV2 && function != Callable::kRebuildTensorV3) {
    throw Error("a tensor was expected to be made by _rebuild_tensor_v2 or _v3");
  }
  return call(function, expect<TupleObject>(arguments[2], "a tuple of arguments").items);
}

/// Whether a function needs its arguments to be known.
bool looks_at_arguments(Callable callable) {
  return callable != Callable::kFirstArgument && callable != Callable::kDefaultDict &&
         callable != Callable::kRebuildFromType;
}

}  // namespace

std::optional<Content> call(Callable callable, const Objects& arguments) {
  if (looks_at_arguments(callable) && std::any_of(arguments.begin(), arguments.end(), is_unknown)) {
    return UnknownObject{"an object made of what is not known"};
  }
  switch (callable) {
    case Callable::kDict:
      return make_dict(arguments);
    case Callable::kDefaultDict:
      expect_arguments(arguments, 0, 1);
      return DictObject();
    case Callable::kSequence:
      return make_sequence(arguments);
    case Callable::kEncode:
      return encode_latin1(arguments);
    case Callable::kByteArray:
      return make_byte_array(arguments);
    case Callable::kDevice:
      return make_device(arguments);
    case Callable::kFirstArgument:
      expect_arguments(arguments, 1, 4);
      return std::nullopt;
    case Callable::kRebuildTensor:
      expect_arguments(arguments, 4, 4);
      return rebuild_tensor(arguments, std::nullopt);
    case Callable::kRebuildTensorV2:
      expect_arguments(arguments, 6, 7);
      if (is_view_of_another_kind(arguments, 6)) return UnknownObject{kOtherView};
      return rebuild_tensor(arguments, std::nullopt);
    case Callable::kRebuildTensorV3:
      expect_arguments(arguments, 7, 8);
      if (is_view_of_another_kind(arguments, 7)) return UnknownObject{kOtherView};
      return rebuild_tensor(arguments, expect<at::ScalarType>(arguments[6], "a dtype"));
    case Callable::kRebuildFromType:
      return rebuild_from_type(arguments);
    case Callable::kTensor:
      break;
  }
  throw Error("a tensor was expected to be made by one of the functions of torch._utils");
}

}  // namespace mobileone
