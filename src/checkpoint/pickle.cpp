#include "mobileone/checkpoint/pickle.h"

#include <algorithm>
#include <bit>

#include "mobileone/util/error.h"
#include "pickle_format.h"

namespace mobileone {
namespace {

/// Python's name of the storage of a tensor, which must be dense.
std::string_view storage_name(const at::Tensor& tensor) {
  const auto* found = std::find_if(
      std::begin(kStorageNames), std::end(kStorageNames), [&](const StorageName& known) {
        return tensor.defined() && tensor.has_storage() && tensor.scalar_type() == known.dtype;
      });
  if (found != std::end(kStorageNames)) return found->name;
  throw Error("a tensor of type {} cannot be written to a torch file", tensor.toString());
}

class Pickler {
 public:
  explicit Pickler(const StoreStorage& store_storage) : store_storage_(store_storage) {}

  std::string run(const Value& value) {
    put(Op::kProto);
    put(uint8_t{2});
    write(value);
    put(Op::kStop);
    return std::move(bytes_);
  }

 private:
  template <typename Number>
  void put(Number number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  void write(const Value& value);
  void write(bool value) { put(value ? Op::kNewTrue : Op::kNewFalse); }
  void write(int64_t value);
  void write(double value);
  void write(std::string_view text);
  void write(at::IntArrayRef numbers);
  void write(const at::Tensor& value);
  void write(const Value::List& list);
  void write(const Value::Dict& dict);
  void write_global(std::string_view module, std::string_view name);
  void write_ordered_dict();

  std::string bytes_;
  const StoreStorage& store_storage_;
};

void Pickler::write(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNone:
      return put(Op::kNone);
    case Value::Kind::kBool:
      return write(value.as_bool());
    case Value::Kind::kInt:
      return write(value.as_int());
    case Value::Kind::kDouble:
      return write(value.as_double());
    case Value::Kind::kString:
      return write(std::string_view(value.as_string()));
    case Value::Kind::kTensor:
      return write(value.as_tensor());
    case Value::Kind::kList:
      return write(value.as_list());
    case Value::Kind::kDict:
      return write(value.as_dict());
    case Value::Kind::kPlaceholder:
      throw Error("{} cannot be written to a torch file", value.description());
  }
}

void Pickler::write(int64_t value) {
  if (std::in_range<int32_t>(value)) {
    put(Op::kBinInt);
    put(static_cast<int32_t>(value));
  } else {
    put(Op::kLong1);
    put(uint8_t{sizeof value});
    put(value);
  }
}

void Pickler::write(double value) {
  put(Op::kBinFloat);
  put(__builtin_bswap64(std::bit_cast<uint64_t>(value)));
}

void Pickler::write(std::string_view text) {
  if (!std::in_range<uint32_t>(text.size())) throw Error("a text is longer than 4 GiB");
  put(Op::kBinUnicode);
  put(static_cast<uint32_t>(text.size()));
  bytes_ += text;
}

void Pickler::write(at::IntArrayRef numbers) {
  put(Op::kMark);
  for (int64_t number : numbers) write(number);
  put(Op::kTuple);
}

void Pickler::write(const at::Tensor& value) {
  const auto type = storage_name(value);
  // An expanded tensor repeats its elements; readers would not know how far to trust that.
  const bool expanded = value.nbytes() > value.storage().nbytes();
  const at::Tensor tensor = expanded ? value.contiguous() : value;
  const at::Storage& storage = tensor.storage();
  write_global("torch._utils", "_rebuild_tensor_v2");
  put(Op::kMark);
  put(Op::kMark);
  write(std::string_view("storage"));
  write_global("torch", type);
  write(std::string_view(store_storage_(storage, tensor.scalar_type())));
  write(std::string_view("cpu"));
  write(static_cast<int64_t>(storage.nbytes() / tensor.element_size()));
  put(Op::kTuple);
  put(Op::kBinPersId);
  write(tensor.storage_offset());
  write(tensor.sizes());
  write(tensor.strides());
  write(false);          // requires_grad
  write_ordered_dict();  // hooks
  put(Op::kTuple);
  put(Op::kReduce);
}

void Pickler::write(const Value::List& list) {
  put(Op::kEmptyList);
  put(Op::kMark);
  for (const Value& item : list) write(item);
  put(Op::kAppends);
}

void Pickler::write(const Value::Dict& dict) {
  const bool is_state = !dict.is_empty() && std::all_of(dict.begin(), dict.end(), [](auto& item) {
    return item.value().kind() == Value::Kind::kTensor;
  });
  if (is_state) {
    write_ordered_dict();
  } else {
    put(Op::kEmptyDict);
  }
  put(Op::kMark);
  for (const auto& item : dict) {
    write(std::string_view(item.key()));
    write(item.value());
  }
  put(Op::kSetItems);
}

void Pickler::write_global(std::string_view module, std::string_view name) {
  put(Op::kGlobal);
  bytes_ += fmt::format("{}\n{}\n", module, name);
}

void Pickler::write_ordered_dict() {
  write_global("collections", "OrderedDict");
  put(Op::kEmptyTuple);
  put(Op::kReduce);
}

}  // namespace

std::string pickle(const Value& value, const StoreStorage& store_storage) {
  return Pickler(store_storage).run(value);
}

}  // namespace mobileone
