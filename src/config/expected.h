#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mobileone/config/config.h"

/// How a field's type and range are put into words, by errors and by docs/config.md alike.
namespace mobileone {

/// A struct of fields, such as a section.
template <typename T>
concept Visitable = requires(T& fields) {
  fields.visit([](std::string_view, auto&, const FieldInfo&) {});
};

/// The length of a list type; 0: any.
template <typename T>
inline constexpr size_t kListLength = 0;
template <typename T, size_t N>
inline constexpr size_t kListLength<std::array<T, N>> = N;

template <typename E>
std::vector<std::string_view> names_of_enum() {
  std::vector<std::string_view> names;
  for (const auto& entry : enum_names(E{})) names.push_back(entry.name);
  return names;
}

template <Visitable T>
std::vector<std::string_view> names_of_fields() {
  std::vector<std::string_view> names;
  T{}.visit([&](std::string_view name, auto&, const FieldInfo&) { names.push_back(name); });
  return names;
}

/// " from 0 to 1 px", " of at least 1", or nothing.
inline std::string range_text(const FieldInfo& info) {
  std::string text;
  if (info.max != kUnbounded) {
    text = fmt::format(" from {} to {}", info.min, info.max);
  } else if (info.min != -kUnbounded) {
    text = fmt::format(" of at least {}", info.min);
  }
  return info.unit.empty() ? text : fmt::format("{} {}", text, info.unit);
}

/// "8, 16 or 32"
inline std::string alternatives(const std::vector<int64_t>& values) {
  std::string text = fmt::format("{}", fmt::join(values.begin(), values.end() - 1, ", "));
  return fmt::format("{}{}{}", text, text.empty() ? "" : " or ", values.back());
}

/// Whether a list of free length may be given as a single number, which stands for a list of one.
template <typename List>
bool takes_single_number(const FieldInfo& info) {
  return std::is_arithmetic_v<typename List::value_type> && kListLength<List> == 0 &&
         (info.allowed.empty() || std::ranges::count(info.allowed, 1) > 0);
}

template <typename List>
std::string expected_list(const FieldInfo& info) {
  using Item = typename List::value_type;
  if constexpr (Visitable<Item>) {
    return fmt::format("a list of {{{}}}", fmt::join(names_of_fields<Item>(), ", "));
  } else if constexpr (std::is_enum_v<Item>) {
    return fmt::format("a list of {}", fmt::join(names_of_enum<Item>(), ", "));
  } else {
    std::string length = kListLength<List> > 0 ? fmt::format("{} ", kListLength<List>) : "";
    if (!info.allowed.empty()) length = alternatives(info.allowed) + " ";
    const std::string_view items = std::is_same_v<Item, std::string> ? "texts"
                                   : std::is_integral_v<Item>        ? "integers"
                                                                     : "numbers";
    return fmt::format("a list of {}{}{}{}", length, items, range_text(info),
                       takes_single_number<List>(info) ? ", or one such number" : "");
  }
}

/// "a number from 0 to 1", "one of s0, s1", "a list of 3 numbers".
template <typename T>
std::string expected(const FieldInfo& info) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else if constexpr (std::is_enum_v<T>) {
    return fmt::format("one of {}", fmt::join(names_of_enum<T>(), ", "));
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (!info.allowed.empty()) return alternatives(info.allowed);
    return (std::is_integral_v<T> ? "an integer" : "a number") + range_text(info);
  } else if constexpr (Visitable<T>) {
    return fmt::format("a map with the keys {}", fmt::join(names_of_fields<T>(), ", "));
  } else {
    return expected_list<T>(info);
  }
}

}  // namespace mobileone
