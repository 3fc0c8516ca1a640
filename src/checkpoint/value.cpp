#include "mobileone/checkpoint/value.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "byte_cursor.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr std::string_view kKindNames[] = {"None",   "a truth value", "an integer", "a real number",
                                           "a text", "a tensor",      "a list",     "a dict"};

constexpr std::string_view name(Value::Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::string list_keys(const Value::Dict& dict) {
  constexpr size_t kShown = 8;
  if (dict.is_empty()) return "it is empty";
  std::string keys = "it has";
  for (size_t i = 0; i < std::min(dict.size(), kShown); ++i) {
    keys += (i == 0 ? " '" : ", '") + printable(dict[i].key()) + "'";
  }
  if (dict.size() > kShown) keys += fmt::format(" and {} more", dict.size() - kShown);
  return keys;
}

}  // namespace

struct Value::Content : std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor,
                                     List, Dict, Placeholder> {
  using variant::variant;
};

Value::Value() : content_(std::make_shared<Content>()) {}
Value::Value(bool value) : content_(std::make_shared<Content>(value)) {}
Value::Value(int64_t value) : content_(std::make_shared<Content>(value)) {}
Value::Value(double value) : content_(std::make_shared<Content>(value)) {}
Value::Value(std::string value) : content_(std::make_shared<Content>(std::move(value))) {}
Value::Value(at::Tensor value) : content_(std::make_shared<Content>(std::move(value))) {}
Value::Value(List value) : content_(std::make_shared<Content>(std::move(value))) {}
Value::Value(Placeholder value) : content_(std::make_shared<Content>(std::move(value))) {}
Value::Value(Dict value) : content_(std::make_shared<Content>(std::move(value))) {}

Value::Value(const Tensors& tensors) {
  Dict dict;
  dict.reserve(tensors.size());
  for (const auto& item : tensors) dict.insert(item.key(), Value(item.value()));
  content_ = std::make_shared<Content>(std::move(dict));
}

Value::Kind Value::kind() const { return static_cast<Kind>(content_->index()); }

std::string Value::description() const {
  const auto* placeholder = std::get_if<Placeholder>(content_.get());
  return placeholder ? placeholder->what : std::string(name(kind()));
}

template <typename T>
const T& Value::as(Kind expected) const {
  if (const T* content = std::get_if<T>(content_.get())) return *content;
  throw Error("{}: is {}, expected {}", where(), description(), name(expected));
}

bool Value::as_bool() const { return as<bool>(Kind::kBool); }
int64_t Value::as_int() const { return as<int64_t>(Kind::kInt); }
const std::string& Value::as_string() const { return as<std::string>(Kind::kString); }
const at::Tensor& Value::as_tensor() const { return as<at::Tensor>(Kind::kTensor); }
const Value::List& Value::as_list() const { return as<List>(Kind::kList); }
const Value::Dict& Value::as_dict() const { return as<Dict>(Kind::kDict); }

double Value::as_double() const {
  return kind() == Kind::kInt ? static_cast<double>(as_int()) : as<double>(Kind::kDouble);
}

Value::Tensors Value::as_tensors() const {
  Tensors tensors;
  tensors.reserve(as_dict().size());
  for (const auto& item : as_dict()) {
    tensors.insert(item.key(), inside(item.value(), item.key()).as_tensor());
  }
  return tensors;
}

Value Value::at(const std::string& key) const {
  if (auto child = find(key)) return *std::move(child);
  throw Error("{}: has no key '{}'; {}", where(), key, list_keys(as_dict()));
}

Value Value::at(size_t index) const {
  const List& list = as_list();
  if (index < list.size()) return inside(list[index], std::to_string(index));
  throw Error("{}: has {} elements, element {} was expected", where(), list.size(), index);
}

std::optional<Value> Value::find(const std::string& key) const {
  const Value* child = as_dict().find(key);
  return child ? std::optional(inside(*child, key)) : std::nullopt;
}

Value Value::named(std::string where) const {
  Value copy = *this;
  copy.where_ = std::move(where);
  return copy;
}

Value Value::inside(const Value& child, const std::string& key) const {
  return child.named(where_.empty() ? printable(key) : where_ + " > " + printable(key));
}

}  // namespace mobileone
