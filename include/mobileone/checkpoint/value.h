#pragma once

#include <ATen/core/Tensor.h>
#include <torch/ordered_dict.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mobileone {

/// What a checkpoint holds: None, a truth value, an integer, a real number, text, a tensor, or a
/// list or a dict of these; for anything else in a file of others a placeholder, which says no more
/// than what it stands for. A value never changes and shares what it holds, so copies are cheap.
///
///     Value checkpoint = Value::Dict{{"step", 100}, {"names", Value::List{"cat", "dog"}}};
///     int64_t step = checkpoint.at("step").as_int();
///
/// A value that was reached by `at` or `find` remembers the way ("run/last.pth > optimizer > lr")
/// and names it when it turns out not to be what was asked for.
class Value {
 public:
  using List = std::vector<Value>;
  using Dict = torch::OrderedDict<std::string, Value>;
  using Tensors = torch::OrderedDict<std::string, at::Tensor>;
  /// In the order of what a value's content can be.
  enum class Kind { kNone, kBool, kInt, kDouble, kString, kTensor, kList, kDict, kPlaceholder };
  struct Placeholder {
    std::string what;  ///< as messages name it: "an object made by argparse.Namespace"
  };

  /// None.
  Value();
  Value(bool value);
  Value(int64_t value);
  template <std::integral T>
  Value(T value) : Value(static_cast<int64_t>(value)) {}
  Value(double value);
  Value(const char* value) : Value(std::string(value)) {}
  Value(std::string value);
  Value(at::Tensor value);
  Value(List value);
  Value(Dict value);
  Value(Placeholder value);
  /// A dict of tensors, such as a state_dict.
  Value(const Tensors& tensors);

  Kind kind() const;
  bool is_none() const { return kind() == Kind::kNone; }
  /// "None", "an integer", ..., or what a placeholder stands for.
  std::string description() const;

  /// The content. Throws Error naming the value's place, its kind and the kind expected. An integer
  /// will do for a real number. References last as long as any copy of the value.
  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;
  const std::string& as_string() const;
  const at::Tensor& as_tensor() const;
  const List& as_list() const;
  const Dict& as_dict() const;
  /// A dict of nothing but tensors.
  Tensors as_tensors() const;

  /// An element of a dict or list. Throws Error, which for a missing key lists those there are.
  Value at(const std::string& key) const;
  Value at(size_t index) const;
  /// Nothing where a dict has no such key. Throws Error if this is no dict.
  std::optional<Value> find(const std::string& key) const;

  /// The same value, called `where` in messages.
  Value named(std::string where) const;

 private:
  struct Content;

  template <typename T>
  const T& as(Kind expected) const;
  Value inside(const Value& child, const std::string& key) const;
  std::string where() const { return where_.empty() ? "value" : where_; }

  std::shared_ptr<const Content> content_;
  std::string where_;
};

}  // namespace mobileone
