#include "pickle_object.h"

#include <algorithm>
#include <optional>
#include <set>

#include "byte_cursor.h"
#include "pickle_format.h"

namespace mobileone {

/// An object's value, and what it adds to those that hold it.
struct Finished {
  Value value;
  size_t weight = 1;
  int levels = 0;
};

namespace {

constexpr int kMaxLevels = 64;
constexpr size_t kBytesOfWeight = 128;  // of a text, as much as an object takes itself
constexpr size_t kTensorWeight = 16;    // of a name and a tensor that sharing may multiply

size_t text_weight(std::string_view text) { return text.size() / kBytesOfWeight; }

void add_weight(size_t& sum, size_t weight) {
  sum += weight;
  if (sum > kMaxPickledValues) throw Error("it holds more than {} values", kMaxPickledValues);
}

void check_levels(int levels) {
  if (levels > kMaxLevels) throw Error("it is nested more than {} levels deep", kMaxLevels);
}

const std::string& text_key(Object* key) { return expect<std::string>(key, "an attribute's name"); }

/// Nothing where the key is neither text nor an integer.
std::optional<std::string> dict_key(const Object& object) {
  if (const auto* number = std::get_if<int64_t>(&object.content)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&object.content)) return *text;
  return std::nullopt;
}

/// A dict's item under a key that is text; null if there is none.
Object* find_item(const Object* object, std::string_view key) {
  const auto* dict = object ? std::get_if<DictObject>(&object->content) : nullptr;
  if (dict == nullptr) return nullptr;
  for (const auto& [name, item] : dict->items) {
    const auto* text = std::get_if<std::string>(&name->content);
    if (text != nullptr && *text == key) return item;
  }
  return nullptr;
}

/// The tensors of a module of Python's torch.nn that was pickled whole, as its state_dict() has
/// them.
class NnModuleWalk {
 public:
  explicit NnModuleWalk(size_t& weight) : weight_(weight) {}

  void visit(const UnknownObject& module, const std::string& prefix, int depth) {
    check_levels(depth);
    const auto left_out = not_persistent(module);
    for (const char* kind : {"_parameters", "_buffers"}) {
      for (const auto& [name, item] : items_of(module, kind)) {
        const auto* tensor = std::get_if<at::Tensor>(&item->content);
        if (tensor != nullptr && !left_out.contains(name)) add(prefix, name, *tensor);
      }
    }
    for (const auto& [name, item] : items_of(module, "_modules")) {
      const auto* child = std::get_if<UnknownObject>(&item->content);
      if (child != nullptr) visit(*child, fmt::format("{}{}.", prefix, name), depth + 1);
    }
  }

  Value::Tensors tensors;

 private:
  using Items = std::vector<std::pair<std::string_view, Object*>>;

  /// Those items of one of a module's dicts that have texts as keys. What is walked over is
  /// weighed, since modules may be shared.
  Items items_of(const UnknownObject& module, std::string_view kind) {
    const Object* object = find_item(module.state, kind);
    const auto* dict = object ? std::get_if<DictObject>(&object->content) : nullptr;
    Items named;
    if (dict == nullptr) return named;
    add_weight(weight_, object_weight(module.state->content) + dict->items.size());
    for (const auto& [name, item] : dict->items) {
      if (const auto* text = std::get_if<std::string>(&name->content)) {
        named.emplace_back(*text, item);
      }
    }
    return named;
  }

  std::set<std::string_view> not_persistent(const UnknownObject& module) {
    const Object* object = find_item(module.state, "_non_persistent_buffers_set");
    const auto* list = object ? std::get_if<ListObject>(&object->content) : nullptr;
    std::set<std::string_view> names;
    if (list == nullptr) return names;
    add_weight(weight_, list->items.size());
    for (const Object* item : list->items) {
      if (const auto* text = std::get_if<std::string>(&item->content)) names.insert(*text);
    }
    return names;
  }

  void add(const std::string& prefix, std::string_view name, const at::Tensor& tensor) {
    add_weight(weight_, kTensorWeight + text_weight(prefix) + text_weight(name));
    std::string full = prefix + std::string(name);
    if (tensors.contains(full)) throw Error("a module has '{}' twice", printable(full));
    tensors.insert(std::move(full), tensor);
  }

  size_t& weight_;
};

/// Makes an object's value, and those of the objects in it, each once.
class Finisher {
 public:
  const Finished& finish(Object& object, int depth) {
    check_levels(depth);
    if (!object.finished) {
      Finished made;
      made.value = std::visit([&](const auto& content) { return value_of(content, depth, made); },
                              object.content);
      object.finished = std::make_unique<const Finished>(std::move(made));
    }
    check_levels(depth + object.finished->levels);
    return *object.finished;
  }

 private:
  Value value_of(std::monostate, int, Finished&) { return {}; }
  Value value_of(bool content, int, Finished&) { return content; }
  Value value_of(int64_t content, int, Finished&) { return content; }
  Value value_of(double content, int, Finished&) { return content; }
  Value value_of(const at::Tensor& content, int, Finished&) { return content; }
  Value value_of(at::ScalarType content, int, Finished&) { return python_name(content); }

  Value value_of(const std::string& content, int, Finished& made) {
    add_weight(made.weight, text_weight(content));
    return content;
  }

  Value value_of(const ListObject& list, int depth, Finished& made) {
    return list_of(list.items, depth, made);
  }
  Value value_of(const TupleObject& tuple, int depth, Finished& made) {
    return list_of(tuple.items, depth, made);
  }

  Value value_of(const DictObject& object, int depth, Finished& made) {
    Value::Dict dict;
    for (const auto& [key, item] : object.items) {
      auto name = dict_key(*key);
      if (!name) return Value::Placeholder{"a dict with keys that are neither texts nor integers"};
      if (dict.contains(*name)) {
        return Value::Placeholder{fmt::format("a dict with the key '{}' twice", printable(*name))};
      }
      add_weight(made.weight, text_weight(*name));
      dict.insert(*std::move(name), part(*item, depth, made));
    }
    return dict;
  }

  Value value_of(const UnknownObject& object, int depth, Finished& made) {
    if (find_item(object.state, "_modules") == nullptr) return Value::Placeholder{object.what};
    NnModuleWalk walk(made.weight);
    walk.visit(object, "", depth);
    return Value(walk.tensors);
  }

  // Of the rest there is no value.
  Value value_of(const UnknownGlobal& global, int, Finished&) {
    return Value::Placeholder{global.name};
  }
  Value value_of(StorageType, int, Finished&) { return Value::Placeholder{"a type of storages"}; }
  Value value_of(const StorageObject&, int, Finished&) { return Value::Placeholder{"a storage"}; }
  Value value_of(Callable, int, Finished&) { return Value::Placeholder{"a function or class"}; }
  Value value_of(const ModuleObject&, int, Finished&) { return Value::Placeholder{"a module"}; }
  Value value_of(ModuleClass, int, Finished&) { return Value::Placeholder{"a class"}; }

  Value list_of(const Objects& items, int depth, Finished& made) {
    Value::List list;
    for (Object* item : items) list.push_back(part(*item, depth, made));
    return list;
  }

  Value part(Object& object, int depth, Finished& whole) {
    const Finished& made = finish(object, depth + 1);
    add_weight(whole.weight, made.weight);
    whole.levels = std::max(whole.levels, made.levels + 1);
    return made.value;
  }
};

class ModuleWalk {
 public:
  void visit(const ModuleObject& module, const std::string& prefix, int depth) {
    check_levels(depth);
    if (!module.attributes) return;
    for (const auto& [key, item] : std::get<DictObject>(module.attributes->content).items) {
      const std::string& attribute = text_key(key);
      add_weight(weight_, 1 + text_weight(prefix) + text_weight(attribute));
      if (const auto* tensor = std::get_if<at::Tensor>(&item->content)) {
        add(prefix + attribute, *tensor);
      } else if (const auto* inner = std::get_if<ModuleObject>(&item->content)) {
        visit(*inner, prefix + attribute + ".", depth + 1);
      }
    }
  }

  Value::Tensors tensors;

 private:
  void add(std::string name, const at::Tensor& tensor) {
    add_weight(weight_, kTensorWeight);
    if (tensors.contains(name)) throw Error("a module has '{}' twice", printable(name));
    tensors.insert(std::move(name), tensor);
  }

  size_t weight_ = 0;
};

}  // namespace

Object::Object(Content new_content) : content(std::move(new_content)) {}
Object::~Object() = default;

size_t object_weight(const Object::Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return text_weight(*text);
  if (const auto* dict = std::get_if<DictObject>(&content)) return dict->items.size();
  return 0;
}

const Objects& expect_items(Object* object, const char* what) {
  if (const auto* list = std::get_if<ListObject>(&object->content)) return list->items;
  return expect<TupleObject>(object, what).items;
}

Value to_value(Object& object) { return Finisher().finish(object, 0).value; }

Value::Tensors module_tensors(Object& object) {
  ModuleWalk walk;
  walk.visit(expect<ModuleObject>(&object, "a module"), "", 0);
  return std::move(walk.tensors);
}

}  // namespace mobileone
