#include <bit>

#include "pickle_call.h"
#include "unpickler.h"

namespace mobileone {
namespace {

/// Two's complement, little endian, as LONG1 and LONG4 hold it.
Object::Content to_integer(std::string_view bytes) {
  if (bytes.size() > sizeof(int64_t)) return UnknownObject{"an integer of more than 64 bits"};
  if (bytes.empty()) return int64_t{0};
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), bytes.size());
  const auto unused = 64 - 8 * bytes.size();
  return static_cast<int64_t>(bits << unused) >> unused;
}

/// A container to be filled: an object of an unknown class that gets items is one, too, whose class
/// derives from list or dict.
template <typename Container>
Container& expect_filled(Object* object, const char* what) {
  if (std::holds_alternative<UnknownObject>(object->content)) object->content = Container();
  return expect<Container>(object, what);
}

/// Files from before torch 1.6 hold a module's class as ("module", class, file, code).
bool is_class_with_source(const Objects& id) {
  const auto* kind = id.size() == 4 ? std::get_if<std::string>(&id[0]->content) : nullptr;
  return kind != nullptr && *kind == "module";
}

/// Where a view lies in its storage, in elements: the tuple (key, offset, size) of files from
/// before torch 0.4, in which storages could be parts of others.
void narrow(StorageObject& storage, Object* view, int64_t element) {
  if (std::holds_alternative<std::monostate>(view->content)) return;
  const Objects& fields = expect<TupleObject>(view, "a view of a storage").items;
  if (fields.size() != 3) throw Error("a view of a storage was expected to have 3 fields");
  const int64_t offset = expect<int64_t>(fields[1], "a view's offset"),
                count = expect<int64_t>(fields[2], "a view's length");
  const int64_t available = storage.size / element;
  if (offset < 0 || count < 0 || offset > available || count > available - offset) {
    throw Error("a view lies outside its storage of {} elements", available);
  }
  storage.begin = offset * element;
  storage.size = count * element;
}

}  // namespace

template <typename Finish>
auto Unpickler::run(Finish finish) {
  const size_t begin = bytes_.position();
  size_t position = begin;
  try {
    for (;;) {
      position = bytes_.position();
      const auto op = bytes_.take<Op>();
      if (op == Op::kStop) return finish(*pop());
      execute(op);
    }
  } catch (const Error& error) {
    throw Error("refused at byte {} of its pickle: {}", position - begin, error.what());
  }
}

Value Unpickler::value() { return run(to_value); }
Value::Tensors Unpickler::tensors() { return run(module_tensors); }

void Unpickler::execute(Op op) {
  if (push_constant(op) || build_container(op) || use_memo(op)) return;
  switch (op) {
    case Op::kProto:
      if (const int protocol = bytes_.take<uint8_t>(); protocol < 2 || protocol > 5) {
        throw Error("protocol {}, expected 2 to 5", protocol);
      }
      return;
    case Op::kFrame:  // a length that helps who reads from a stream
      bytes_.take<uint64_t>();
      return;
    case Op::kGlobal: {
      const auto module = bytes_.take_line(), name = bytes_.take_line();
      return push(find_global(module, name, origin_));
    }
    case Op::kStackGlobal: {
      const Objects names = pop_many(2);
      return push(find_global(expect<std::string>(names[0], "a module's name"),
                              expect<std::string>(names[1], "a global's name"), origin_));
    }
    case Op::kBinPersId:
      return load_persistent();
    case Op::kNewObjEx:
      pop();  // arguments by name
      return reduce();
    case Op::kReduce:
    case Op::kNewObj:
      return reduce();
    case Op::kBuild:
      return build();
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
    case Op::kLong4:
      return push(to_integer(bytes_.take(bytes_.take<uint32_t>()))), true;
    case Op::kBinFloat:  // the one number that is big endian
      return push(std::bit_cast<double>(__builtin_bswap64(bytes_.take<uint64_t>()))), true;
    case Op::kBinUnicode:
    case Op::kBinString:
    case Op::kBinBytes:
      return push(std::string(bytes_.take(bytes_.take<uint32_t>()))), true;
    case Op::kBinUnicode8:
    case Op::kBinBytes8:
    case Op::kByteArray8:
      return push(std::string(bytes_.take(bytes_.take<uint64_t>()))), true;
    case Op::kShortBinString:
    case Op::kShortBinUnicode:
    case Op::kShortBinBytes:
      return push(std::string(bytes_.take(bytes_.take<uint8_t>()))), true;
    default:
      return false;
  }
}

bool Unpickler::build_container(Op op) {
  switch (op) {
    case Op::kEmptyList:
    case Op::kEmptySet:
      return push(ListObject()), true;
    case Op::kEmptyTuple:
      return push(TupleObject()), true;
    case Op::kEmptyDict:
      return push(DictObject()), true;
    case Op::kMark:
      return marks_.push_back(stack_.size()), true;
    case Op::kPop:
      return pop(), true;
    case Op::kPopMark:
      return pop_to_mark(), true;
    case Op::kFrozenSet:
      return push(ListObject{pop_to_mark()}), true;
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
    case Op::kAddItems:
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
    case Op::kMemoize:
      return memo_[static_cast<uint32_t>(memo_.size())] = top(), true;
    case Op::kBinPut:
      return memo_[bytes_.take<uint8_t>()] = top(), true;
    case Op::kLongBinPut:
      return memo_[bytes_.take<uint32_t>()] = top(), true;
    default:
      return false;
  }
}

void Unpickler::push(Object::Content content) {
  weight_ += 1 + object_weight(content);
  if (weight_ > kMaxPickledValues) throw Error("it holds more than {} values", kMaxPickledValues);
  stack_.push_back(&objects_.emplace_back(std::move(content)));
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
  Objects& list = expect_filled<ListObject>(top(), "a list to append to").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Unpickler::set_items(const Objects& keys_and_items) {
  if (keys_and_items.size() % 2 != 0) throw Error("a key without a value");
  auto& dict = expect_filled<DictObject>(top(), "a dict to fill").items;
  for (size_t i = 0; i < keys_and_items.size(); i += 2) {
    dict.emplace_back(keys_and_items[i], keys_and_items[i + 1]);
  }
}

void Unpickler::load_persistent() {
  const Objects& id = expect<TupleObject>(pop(), "a storage's description").items;
  if (is_class_with_source(id)) return stack_.push_back(id[1]);
  if (id.size() < 5 || id.size() > 6 ||
      expect<std::string>(id[0], "the word 'storage'") != "storage") {
    throw Error("a storage's description was expected");
  }
  const auto dtype = expect<StorageType>(id[1], "a storage type").dtype;
  const auto& key = expect<std::string>(id[2], "a storage's key");
  const int64_t count = expect<int64_t>(id[4], "a storage's length");
  const auto element = dtype ? static_cast<int64_t>(at::elementSize(*dtype)) : 1;
  StorageObject storage{{}, dtype, 0, 0};
  if (count < 0 || __builtin_mul_overflow(count, element, &storage.size)) {
    throw Error("a storage of {} elements", count);
  }
  storage.storage = load_storage_(key, count, element);
  if (id.size() == 6) narrow(storage, id[5], element);
  push(std::move(storage));
}

void Unpickler::reduce() {
  const Objects& arguments = expect<TupleObject>(pop(), "a tuple of arguments").items;
  Object* function = pop();
  if (std::holds_alternative<ModuleClass>(function->content)) {
    if (!arguments.empty()) throw Error("an object of a class that is no module");
    return push(ModuleObject());
  }
  if (const auto* unknown = std::get_if<UnknownGlobal>(&function->content)) {
    return push(UnknownObject{"an object made by " + unknown->name});
  }
  if (const auto* unknown = std::get_if<UnknownObject>(&function->content)) {
    return push(UnknownObject{unknown->what});
  }
  if (auto made = call(expect<Callable>(function, "a function to call"), arguments)) {
    return push(*std::move(made));
  }
  stack_.push_back(arguments.front());
}

void Unpickler::build() {
  Object* state = pop();
  if (auto* module = std::get_if<ModuleObject>(&top()->content)) {
    // Any other state is for the code of its class, which is not run.
    if (std::holds_alternative<DictObject>(state->content)) module->attributes = state;
  } else if (auto* unknown = std::get_if<UnknownObject>(&top()->content)) {
    unknown->state = state;
  }
  // Attributes of all else, such as a state_dict's _metadata, say nothing of its tensors.
}

Value unpickle(std::string_view bytes, const LoadStorage& load_storage) {
  ByteCursor cursor(bytes);
  return Unpickler(cursor, load_storage).value();
}

}  // namespace mobileone
