#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// The upper end of what must stay below 1.
inline constexpr double kBelowOne = 0.999999;

/// What a key bears on, and so where it may differ.
enum class Scope {
  kRecipe,   ///< what a run comes to
  kPlace,    ///< where files lie that are the same; each process may have them elsewhere
  kMachine,  ///< how fast a process computes
  kRun,      ///< how all processes compute; may change when a run goes on
  kOutput,   ///< what is written, and where
};

/// What a field means. `min` and `max` are inclusive and hold for each element of a list. `allowed`
/// are the only values of an integer, or the only lengths of a list; empty: any.
struct FieldInfo {
  std::string_view doc;
  std::string_view unit = "";
  double min = -kUnbounded;
  double max = kUnbounded;
  std::vector<int64_t> allowed = {};
  Scope scope = Scope::kRecipe;

  /// The same with another scope.
  FieldInfo with(Scope other) const {
    FieldInfo info = *this;
    info.scope = other;
    return info;
  }
};

/// The name ↔ value table of an enum that the configuration knows.
template <typename E>
struct EnumName {
  E value;
  std::string_view name;
};
template <typename E>
constexpr std::string_view to_string(E value) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}
template <typename E>
constexpr std::optional<E> from_string(std::string_view name) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

}  // namespace mobileone
