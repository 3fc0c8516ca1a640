#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_set>

#include "mobileone/data/labels.h"
#include "mobileone/data/rle.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"

namespace mobileone {

using Json = nlohmann::json;

inline constexpr int64_t kMostId = int64_t{1}
                                   << 53;    ///< beyond it a number of JavaScript's is not exact
inline constexpr int64_t kMostSide = 65535;  ///< px

/// A value as a message shows it.
inline std::string shown(const Json& value) {
  constexpr size_t kMost = 60;
  const std::string text = one_line(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  return text.size() <= kMost ? text : one_line(text.substr(0, kMost)) + "...";
}

/// An integer that is written as one, or as 640.0.
inline bool is_integer(const Json& value, int64_t least, int64_t most) {
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  return number == std::floor(number) && number >= static_cast<double>(least) &&
         number <= static_cast<double>(most);
}

/// A list of the file.
struct Section {
  const char* name;   ///< "annotations"
  const char* kind;   ///< of its elements: "annotation"
  int64_t count = 0;  ///< of them that were read
  bool is_there = false;
  std::unordered_set<int64_t> ids = {};
};

/// An element of a section, whose members are checked as they are taken.
class Element {
 public:
  Element(const std::string& path, const Section& section, const Json& object)
      : path_(path), section_(section), object_(object) {}

  int64_t take_id() {
    id_ = integer("id", 0, kMostId);
    return id_;
  }
  int64_t integer(const char* key, int64_t least, int64_t most) const {
    return integer(member(key), key, least, most);
  }
  int64_t integer(const Json& value, const std::string& what, int64_t least, int64_t most) const {
    if (!is_integer(value, least, most)) {
      throw unexpected(what, value, fmt::format("an integer from {} to {}", least, most));
    }
    return value.get<int64_t>();
  }
  double number(const Json& value, const std::string& what, double least, double most) const {
    if (!value.is_number() || !(value.get<double>() >= least) || !(value.get<double>() <= most)) {
      throw unexpected(what, value, fmt::format("a number from {} to {}", least, most));
    }
    return value.get<double>();
  }
  double number(const char* key) const {
    const Json& value = member(key);
    if (!value.is_number()) throw unexpected(key, value, "a number");
    return value.get<double>();
  }
  /// `bbox`: left, top, width and height.
  std::array<double, 4> box() const {
    const Json& value = member("bbox");
    const auto is_sound = [](const Json& side) {
      return side.is_number() && std::abs(side.get<double>()) <= kMostCoordinate;
    };
    if (!value.is_array() || value.size() != 4 ||
        !std::all_of(value.begin(), value.end(), is_sound) || value[2].get<double>() < 0 ||
        value[3].get<double>() < 0) {
      throw unexpected("bbox", value, "left, top, width and height, px, sizes not negative");
    }
    return {value[0].get<double>(), value[1].get<double>(), value[2].get<double>(),
            value[3].get<double>()};
  }
  const std::string& text(const char* key) const {
    const Json& value = member(key);
    if (!value.is_string() || trimmed(value.get_ref<const std::string&>()).empty()) {
      throw unexpected(key, value, "a text");
    }
    return value.get_ref<const std::string&>();
  }
  const Json& member(const char* key) const {
    const Json* value = optional(key);
    if (value == nullptr) throw Error("{}: has no `{}`", place(), key);
    return *value;
  }
  /// Null where it is not there, or null.
  const Json* optional(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  Error unexpected(const std::string& what, const Json& value, const std::string& expected) const {
    return Error("{}: `{}` is {}, expected {}", place(), what, shown(value), expected);
  }
  /// "x.json: annotation 7", or by its place as long as its id is not known.
  std::string place() const {
    if (id_ < 0) return fmt::format("{}: {}[{}]", path_, section_.name, section_.count);
    return fmt::format("{}: {} {}", path_, section_.kind, id_);
  }

 private:
  const std::string& path_;
  const Section& section_;
  const Json& object_;
  int64_t id_ = -1;
};

/// Parses a file's JSON, which is given to `take` as by nlohmann::json's callbacks: value by value.
/// Throws Error naming `path` where it is none, instead of what was `expected`.
void parse_json(const std::string& path, std::string_view bytes, const std::string& expected,
                const Json::parser_callback_t& take);

}  // namespace mobileone
