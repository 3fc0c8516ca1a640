#include <bit>
#include <deque>
#include <unordered_map>

#include "byte_cursor.h"
#include "mobileone/checkpoint/pickle.h"
#include "pickle_format.h"
#include "pickle_object.h"

namespace mobileone {
namespace {

/// Two's complement, little endian, as LONG1 holds it.
int64_t to_integer(std::string_view bytes) {
  if (bytes.size() > sizeof(int64_t)) throw Error("an integer has more than 64 bits");
  if (bytes.empty()) return 0;
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), bytes.size());
  const auto unused = 64 - 8 * bytes.size();
  return static_cast<int64_t>(bits << unused) >> unused;
}

/// The pickle machine: a stack, marks in it, and a memo. Opcodes it does not know are refused.
class Unpickler {
 public:
  Unpickler(std::string_view bytes, const LoadStorage& load_storage)
      : bytes_(bytes), load_storage_(load_storage) {}

  Value run();

 private:
  void execute(Op op);
  bool push_constant(Op op);
  bool build_container(Op op);
  bool use_memo(Op op);

  void push(decltype(Object::content) content);
  Object* top();
  Object* pop() { return pop_many(1).front(); }
  Objects pop_many(size_t count);
  Objects pop_to_mark();

  void get(uint32_t index);
  void append(const Objects& items);
  void set_items(const Objects& keys_and_items);
  void find_global();
  void load_persistent();
  void call();

  ByteCursor bytes_;
  const LoadStorage& load_storage_;
  std::deque<Object> objects_;  // the owner of all others point to
  Objects stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Object*> memo_;
};

Value Unpickler::run() {
  size_t position = 0;
  try {
    for (;;) {
      position = bytes_.position();
      const auto op = bytes_.take<Op>();
      if (op == Op::kStop) return to_value(*pop());
      execute(op);
    }
  } catch (const Error& error) {
    throw Error("refused at byte {} of its pickle: {}", position, error.what());
  }
}

void Unpickler::execute(Op op) {
  if (push_constant(op) || build_container(op) || use_memo(op)) return;
  switch (op) {
    case Op::kProto:
      if (const int protocol = bytes_.take<uint8_t>(); protocol < 2 || protocol > 5) {
        throw Error("protocol {}, expected 2 to 5", protocol);
      }
      return;
    case Op::kGlobal:
      return find_global();
    case Op::kBinPersId:
      return load_persistent();
    case Op::kReduce:
      return call();
    case Op::kBuild:
      // A state_dict's attributes (_metadata) say nothing of its tensors.
      pop();
      expect<DictObject>(top(), "a dict to give attributes to");
      return;
    default:
      throw Error("opcode 0x{:02x}, which weights do not need", static_cast<int>(op));
  }
}

bool Unpickler::push_constant(Op op) {
  switch (op) {
    case Op::kNone:
      return push(std::monostate()), true;
    case Op::kNewTrue:
      return push(true), true;
    case Op::kNewFalse:
      return push(false), true;
    case Op::kBinInt:
      return push(int64_t{bytes_.take<int32_t>()}), true;
    case Op::kBinInt1:
      return push(int64_t{bytes_.take<uint8_t>()}), true;
    case Op::kBinInt2:
      return push(int64_t{bytes_.take<uint16_t>()}), true;
    case Op::kLong1:
      return push(to_integer(bytes_.take(bytes_.take<uint8_t>()))), true;
    case Op::kBinFloat:  // the one number that is big endian
      return push(std::bit_cast<double>(__builtin_bswap64(bytes_.take<uint64_t>()))), true;
    case Op::kBinUnicode:
      return push(std::string(bytes_.take(bytes_.take<uint32_t>()))), true;
    case Op::kShortBinString:
      return push(std::string(bytes_.take(bytes_.take<uint8_t>()))), true;
    default:
      return false;
  }
}

bool Unpickler::build_container(Op op) {
  switch (op) {
    case Op::kEmptyList:
      return push(ListObject()), true;
    case Op::kEmptyTuple:
      return push(TupleObject()), true;
    case Op::kEmptyDict:
      return push(DictObject()), true;
    case Op::kMark:
      return marks_.push_back(stack_.size()), true;
    case Op::kTuple:
      return push(TupleObject{pop_to_mark()}), true;
    case Op::kTuple1:
      return push(TupleObject{pop_many(1)}), true;
    case Op::kTuple2:
      return push(TupleObject{pop_many(2)}), true;
    case Op::kTuple3:
      return push(TupleObject{pop_many(3)}), true;
    case Op::kAppend:
      return append(pop_many(1)), true;
    case Op::kAppends:
      return append(pop_to_mark()), true;
    case Op::kSetItem:
      return set_items(pop_many(2)), true;
    case Op::kSetItems:
      return set_items(pop_to_mark()), true;
    default:
      return false;
  }
}

bool Unpickler::use_memo(Op op) {
  switch (op) {
    case Op::kBinGet:
      return get(bytes_.take<uint8_t>()), true;
    case Op::kLongBinGet:
      return get(bytes_.take<uint32_t>()), true;
    case Op::kBinPut:
      return memo_[bytes_.take<uint8_t>()] = top(), true;
    case Op::kLongBinPut:
      return memo_[bytes_.take<uint32_t>()] = top(), true;
    default:
      return false;
  }
}

void Unpickler::push(decltype(Object::content) content) {
  if (objects_.size() == kMaxPickledValues) {
    throw Error("it holds more than {} values", kMaxPickledValues);
  }
  stack_.push_back(&objects_.emplace_back(Object{std::move(content)}));
}

Object* Unpickler::top() {
  Object* object = pop();
  stack_.push_back(object);
  return object;
}

Objects Unpickler::pop_many(size_t count) {
  const size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - bottom < count) throw Error("its stack is empty");
  const Objects items(stack_.end() - count, stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

Objects Unpickler::pop_to_mark() {
  if (marks_.empty()) throw Error("no mark is set");
  Objects items = pop_many(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

void Unpickler::get(uint32_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) throw Error("it recalls object {}, which was never stored", index);
  stack_.push_back(found->second);
}

void Unpickler::append(const Objects& items) {
  Objects& list = expect<ListObject>(top(), "a list to append to").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Unpickler::set_items(const Objects& keys_and_items) {
  if (keys_and_items.size() % 2 != 0) throw Error("a key without a value");
  auto& dict = expect<DictObject>(top(), "a dict to fill").items;
  for (size_t i = 0; i < keys_and_items.size(); i += 2) {
    dict.emplace_back(keys_and_items[i], keys_and_items[i + 1]);
  }
}

void Unpickler::find_global() {
  const auto module = bytes_.take_line(), name = bytes_.take_line();
  const auto is = [&](std::string_view known_module, std::string_view known_name) {
    return module == known_module && name == known_name;
  };
  if (is("collections", "OrderedDict")) return push(Callable::kOrderedDict);
  if (is("torch", "Size")) return push(Callable::kSize);
  if (is("torch._utils", "_rebuild_tensor_v2")) return push(Callable::kRebuildTensor);
  if (is("torch._utils", "_rebuild_parameter")) return push(Callable::kRebuildParameter);
  for (const auto& [known_name, dtype] : kStorageNames) {
    if (is("torch", known_name)) return push(StorageType{dtype});
  }
  throw Error("it wants to run {}.{}, which no weights need", printable(module), printable(name));
}

void Unpickler::load_persistent() {
  const Objects& id = expect<TupleObject>(pop(), "a storage's description").items;
  if (id.size() != 5 || expect<std::string>(id[0], "the word 'storage'") != "storage") {
    throw Error("a storage's description was expected");
  }
  const at::ScalarType dtype = expect<StorageType>(id[1], "a storage type").dtype;
  const auto& key = expect<std::string>(id[2], "a storage's key");
  const int64_t count = expect<int64_t>(id[4], "a storage's length");
  uint64_t size = 0;
  if (count < 0 || __builtin_mul_overflow(count, at::elementSize(dtype), &size)) {
    throw Error("a storage of {} elements", count);
  }
  push(StorageObject{load_storage_(key, size), dtype});
}

void Unpickler::call() {
  const Objects& arguments = expect<TupleObject>(pop(), "a tuple of arguments").items;
  const auto function = expect<Callable>(pop(), "a function to call");
  if (function == Callable::kOrderedDict) {
    if (!arguments.empty()) throw Error("an OrderedDict was expected to start empty");
    return push(DictObject());
  }
  if (function == Callable::kRebuildTensor) return push(rebuild_tensor(arguments));
  // Both others add nothing to their first argument.
  if (arguments.empty()) throw Error("an argument is missing");
  stack_.push_back(arguments.front());
}

}  // namespace

Value unpickle(std::string_view bytes, const LoadStorage& load_storage) {
  return Unpickler(bytes, load_storage).run();
}

}  // namespace mobileone
