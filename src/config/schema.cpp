#include "mobileone/config/schema.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "document.h"
#include "expected.h"

namespace mobileone {
namespace {
using Json = nlohmann::ordered_json;

/// Whole numbers without a fraction: 1000, not 1000.0.
Json json_number(double value) {
  const bool whole = value == std::trunc(value) && std::abs(value) <= 0x1p53;
  return whole ? Json(static_cast<int64_t>(value)) : Json(value);
}

/// A field's value.
template <typename T>
Json json_value(T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(to_string(value));
  } else if constexpr (std::is_same_v<T, double>) {
    return json_number(value);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (Visitable<T>) {
    Json object = Json::object();
    value.visit([&](std::string_view name, auto& field, const FieldInfo&) {
      object[std::string(name)] = json_value(field);
    });
    return object;
  } else {
    Json list = Json::array();
    for (auto& item : value) list.push_back(json_value(item));
    return list;
  }
}

template <Visitable T>
Json schema_of_struct(T defaults);

template <typename T>
Json schema_of_number(const FieldInfo& info) {
  Json schema = {{"type", std::is_integral_v<T> ? "integer" : "number"}};
  if (info.min != -kUnbounded) schema["minimum"] = json_number(info.min);
  if (info.max != kUnbounded) schema["maximum"] = json_number(info.max);
  return schema;
}

template <typename T>
Json schema_of_scalar(const FieldInfo& info) {
  if constexpr (std::is_same_v<T, bool>) {
    return {{"type", "boolean"}};
  } else if constexpr (std::is_same_v<T, std::string>) {
    return {{"type", {"string", "number", "boolean"}}};  // a folder may be called 2012
  } else if constexpr (std::is_enum_v<T>) {
    return {{"enum", names_of_enum<T>()}};
  } else {
    if (!info.allowed.empty()) return {{"enum", info.allowed}};
    return schema_of_number<T>(info);
  }
}

template <typename List>
Json schema_of_list(const FieldInfo& info) {
  using Item = typename List::value_type;
  Json schema = {{"type", "array"}};
  if constexpr (Visitable<Item>) {
    schema["items"] = schema_of_struct(Item{});
  } else {
    FieldInfo item_info = info;
    item_info.allowed = {};  // they are the list's lengths
    const Json item = schema_of_scalar<Item>(item_info);
    schema["items"] = item;
    Json lengths = Json::array();
    for (const int64_t n : info.allowed) lengths.push_back({{"minItems", n}, {"maxItems", n}});
    if (!lengths.empty()) schema["anyOf"] = lengths;
    if (takes_single_number<List>(info)) schema = {{"anyOf", {item, schema}}};
  }
  if (kListLength < List >> 0) schema["minItems"] = schema["maxItems"] = kListLength<List>;
  return schema;
}

template <typename T>
Json schema_of(const FieldInfo& info, T& default_value) {
  if constexpr (Visitable<T>) {
    return schema_of_struct(default_value);
  } else {
    Json schema;
    if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
      schema = schema_of_list<T>(info);
    } else {
      schema = schema_of_scalar<T>(info);
    }
    schema["default"] = json_value(default_value);
    return schema;
  }
}

/// A struct may be null: a section whose keys are all commented out.
template <Visitable T>
Json schema_of_struct(T defaults) {
  Json properties = Json::object();
  defaults.visit([&](std::string_view name, auto& field, const FieldInfo& info) {
    Json& property = properties[std::string(name)] = schema_of(info, field);
    property["description"] =
        info.unit.empty() ? std::string(info.doc) : fmt::format("{} [{}]", info.doc, info.unit);
  });
  return {{"type", {"object", "null"}},
          {"additionalProperties", false},
          {"properties", std::move(properties)}};
}

}  // namespace

std::string config_schema() {
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "mobileone configuration"}};
  schema.update(schema_of_struct(Document<Config>{}));
  return schema.dump(2) + "\n";
}

}  // namespace mobileone
