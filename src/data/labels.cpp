#include "mobileone/data/labels.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "mobileone/config/config.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

constexpr size_t kLongestLabel = 4096;  // bytes

}  // namespace

std::string legible_name(std::string_view bytes) {
  if (one_line(bytes) == bytes) return std::string(bytes);
  std::string name;
  for (const unsigned char byte : bytes) {
    const bool is_printable = byte >= 0x20 && byte < 0x7f;
    name += is_printable ? std::string(1, static_cast<char>(byte)) : fmt::format("\\x{:02x}", byte);
  }
  return name;
}

std::vector<std::string> class_names_beside(const std::filesystem::path& path) {
  const std::filesystem::path file = path.parent_path() / "classes.txt";
  if (!std::filesystem::exists(file)) return {};
  const std::string text = utf8_of(read_file(file));
  std::vector<std::string> names;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (trimmed(line).empty()) {
      throw Error("{}:{}: is empty (expected the name of class {})", file.string(),
                  names.size() + 1, names.size());
    }
    if (std::ssize(names) == kMostClasses) {
      throw Error("{}: names more than {} classes", file.string(), kMostClasses);
    }
    names.push_back(legible_name(trimmed(line)));
  }
  return names;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::optional<int64_t> label_integer(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view fraction(stop, end - stop);
  const bool is_whole = fraction.empty() || (fraction.starts_with(".0") &&
                                             fraction.find_first_not_of('0', 1) == fraction.npos);
  if (error == std::errc::invalid_argument || !is_whole) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::numeric_limits<int64_t>::max();
  return value;
}

int32_t LabelTable::insert(std::string_view label, const std::string& place) {
  const std::string shown = one_line(label.substr(0, kLongestLabel));
  if (label.size() > kLongestLabel) {
    throw Error("{}: has a label of {} bytes, expected a class index or name", place, label.size());
  }
  if (std::ssize(labels_) == kMostClasses) {
    throw Error("{}: label `{}`: there are more than {} classes", place, shown, kMostClasses);
  }
  if (kind_ != LabelKind::kNames) {
    const auto integer = label_integer(label);
    const bool others_are = labels_.empty() ? integer.has_value() : are_indices();
    if (kind_ == LabelKind::kIndices && !integer) {
      throw Error("{}: label `{}` is no integer, expected the index of a class", place, shown);
    }
    if (integer.has_value() != others_are) {
      throw Error("{}: label `{}` is {}, the labels above are {}", place, shown,
                  integer ? "an integer" : "not an integer", integer ? "names" : "integers");
    }
    if (integer.value_or(0) < 0) throw Error("{}: label {} is negative", place, shown);
    if (integer.value_or(0) >= kMostClasses) {
      throw Error("{}: label {} is too large (the index of a class is below {})", place, shown,
                  kMostClasses);
    }
  }
  const auto number = static_cast<int32_t>(labels_.size());
  labels_.push_back({std::string(label), place});
  numbers_.emplace(label, number);
  return number;
}

bool LabelTable::are_indices() const {
  return kind_ == LabelKind::kIndices ||
         (kind_ == LabelKind::kEither && !labels_.empty() && label_integer(labels_.front().text));
}

std::vector<std::string> LabelTable::names() const {
  std::vector<std::string> names;
  if (are_indices()) return names;
  for (const auto& [text, number] : numbers_) names.push_back(legible_name(text));
  return names;
}

std::vector<int32_t> LabelTable::classes(const std::vector<std::string>& names) const {
  std::map<std::string_view, int32_t> places;
  for (size_t i = 0; i < names.size(); ++i) places.emplace(names[i], static_cast<int32_t>(i));
  std::vector<int32_t> result;
  for (const auto& [text, place] : labels_) {
    if (are_indices()) {
      result.push_back(static_cast<int32_t>(*label_integer(text)));
      continue;
    }
    const auto found = places.find(legible_name(text));
    if (found == places.end()) {
      throw Error("{}: label `{}` is not among the names of the {} classes", place, one_line(text),
                  names.size());
    }
    result.push_back(found->second);
  }
  return result;
}

}  // namespace mobileone
