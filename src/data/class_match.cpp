#include "mobileone/data/class_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "mobileone/data/imagenet.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/lower_case.h"
#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

using Names = std::vector<std::string>;

/// "'a', 'b', ..."
std::string quoted(const Names& names, size_t most = 8) {
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", names[i]);
  }
  return names.size() > most ? text + ", ..." : text;
}

/// Names as lists have them.
Names as_kept(Names names) {
  for (auto& name : names) name = legible_name(name);
  return names;
}

std::map<std::string_view, int32_t> places_of(const Names& names) {
  std::map<std::string_view, int32_t> places;
  for (size_t i = 0; i < names.size(); ++i) places.emplace(names[i], static_cast<int32_t>(i));
  return places;
}

bool are_integers(const Names& names) {
  return std::all_of(names.begin(), names.end(),
                     [](const auto& name) { return label_integer(name).has_value(); });
}

/// Whether names are integers that are not in the order of their values from 0 on.
bool are_out_of_order(const Names& names) {
  if (!are_integers(names)) return false;
  for (size_t i = 0; i < names.size(); ++i) {
    if (*label_integer(names[i]) != static_cast<int64_t>(i)) return true;
  }
  return false;
}

/// Whether a character is written onto the one before it: Latin accents, parts of a Hangul
/// syllable, marks of voice on kana.
bool is_combining(char32_t code) {
  return (code >= 0x300 && code < 0x370) || (code >= 0x1160 && code < 0x1200) || code == 0x3099 ||
         code == 0x309a;
}

/// A name with one mark for what Unicode's normal forms write differently: a character beyond
/// ASCII, or any and those that combine with it. `combines` tells whether there are such.
std::string without_accents(std::string_view name, bool& combines) {
  constexpr char kAny = '\0';
  std::string rest;
  combines = false;
  for (const Character& character : characters(name)) {
    if (is_combining(character.code) && !rest.empty()) {
      rest.back() = kAny;
      combines = true;
    } else {
      rest += character.code < 0x80 ? static_cast<char>(character.code) : kAny;
    }
  }
  return rest;
}

/// Whether two names differ in nothing but their normal form.
bool differ_in_form(const std::string& a, const std::string& b) {
  bool a_combines = false, b_combines = false;
  return without_accents(a, a_combines) == without_accents(b, b_combines) &&
         a_combines != b_combines;
}

/// Why a name that looks like a known one may not be it.
std::string reason(const std::string& name, const Names& known) {
  for (const auto& other : known) {
    if (lower_case(name) == lower_case(other)) return fmt::format("; '{}' differs in case", other);
    if (differ_in_form(name, other)) {
      return fmt::format(
          "; '{}' looks the same: one has its accents as characters of their own (Unicode's NFD, "
          "as macOS writes names), the other has not (NFC)",
          other);
    }
  }
  return "";
}

/// Where published classes have an id and a name in words, whichever `found` has.
Names spelled_as(const Names& found, const Names& known) {
  const auto& imagenet = imagenet_classes();
  const auto is_all_in = [&](const Names& sorted) {
    return std::all_of(found.begin(), found.end(), [&](const auto& name) {
      return std::binary_search(sorted.begin(), sorted.end(), name);
    });
  };
  return known == imagenet.names && is_all_in(imagenet.ids) ? imagenet.ids : known;
}

/// The known class of each of a list's names.
std::vector<int32_t> match_by_name(const ImageList& list, const Names& known,
                                   const std::string& origin) {
  const Names& found = list.class_names;
  const auto places = places_of(known);
  std::vector<int32_t> classes;
  Names strange;
  for (const auto& name : found) {
    const auto place = places.find(name);
    if (place == places.end()) {
      strange.push_back(name);
    } else {
      classes.push_back(place->second);
    }
  }
  if (strange.empty()) return classes;
  const std::set<std::string> have(found.begin(), found.end());
  Names lacking;
  for (const auto& name : known) {
    if (!have.contains(name)) lacking.push_back(name);
  }
  throw Error("{}: of its {} classes, {} are none of the {} of {}: {}{}{}", list.origin,
              found.size(), strange.size(), known.size(), origin, quoted(strange),
              lacking.empty() ? "" : ", which has " + quoted(lacking),
              reason(strange.front(), known));
}

/// Names that are indices of the known classes.
std::vector<int32_t> match_by_index(const ImageList& list, const KnownClasses& known) {
  std::vector<int32_t> classes;
  for (const auto& name : list.class_names) {
    const int64_t index = *label_integer(name);
    if (index < 0 || index >= known.count) {
      throw Error("{}: class '{}' is none of the {} of {}, and no index below that", list.origin,
                  name, known.count, known.origin);
    }
    classes.push_back(static_cast<int32_t>(index));
  }
  log::info("{}: the names of its {} classes are taken as the indices of those of {}", list.origin,
            classes.size(), known.origin);
  return classes;
}

/// Names where no known class has one.
std::vector<int32_t> match_by_order(const ImageList& list, const KnownClasses& known) {
  const Names& found = list.class_names;
  if (are_out_of_order(found)) {
    throw Error(
        "{}: its classes are in doubt, since {} names none: in the order of names ({}) class 2 is "
        "'{}', by its number it is '2'; say which by a CSV list with a column class_index",
        list.origin, known.origin, quoted(found, 12), found.size() > 2 ? found[2] : "none");
  }
  if (!are_integers(found) && std::ssize(found) != known.count) {
    throw Error(
        "{}: has {} classes by name, and {} has {} without names, so that they cannot be matched; "
        "name their indices in a CSV list with a column class_index",
        list.origin, found.size(), known.origin, known.count);
  }
  std::vector<int32_t> classes(found.size());
  std::iota(classes.begin(), classes.end(), 0);
  log::info("{}: names no classes; those of {} are taken in their order: {}", known.origin,
            list.origin, quoted(found));
  return classes;
}

/// Throws Error where an index is the name of another class, too.
void require_no_doubt(const ImageList& list, const KnownClasses& known) {
  std::map<int64_t, int64_t> places;
  for (size_t i = 0; i < known.names.size(); ++i) {
    if (const auto integer = label_integer(known.names[i])) places.emplace(*integer, i);
  }
  if (list.are_indices || places.empty()) return;
  for (const int32_t label : list.labels) {
    const auto place = places.find(label);
    if (place == places.end() || place->second == label) continue;
    throw Error(
        "{}: label {} is in doubt: as an index it is the class '{}' of {}, as a name class {}, "
        "since names are in the order {}; say which by the name of the column in a CSV list, "
        "class_index or class_name, or by classes.txt beside shards",
        list.origin, label, label < std::ssize(known.names) ? known.names[label] : "(none)",
        known.origin, place->second, quoted(known.names, 12));
  }
}

}  // namespace

ImageList match_classes(ImageList list, const KnownClasses& known) {
  const Names& found = list.class_names;
  if (found.empty()) {
    require_no_doubt(list, known);
    require_labels_below(list, known.count);
    if (!known.names.empty()) {
      log::info("{}: names no classes; its labels are taken as the indices of those of {}",
                list.origin, known.origin);
    }
    return list;
  }
  const auto& imagenet = imagenet_classes();
  const bool may_be_imagenet = known.names.empty() && known.count == std::ssize(imagenet.ids);
  const Names names = spelled_as(found, may_be_imagenet ? imagenet.names : as_kept(known.names));
  const auto places = places_of(names);
  const auto is_known = [&](const auto& name) { return places.contains(name); };
  const bool has_known = std::any_of(found.begin(), found.end(), is_known);
  std::vector<int32_t> classes;
  if (known.names.empty() && !has_known) {
    classes = match_by_order(list, known);
  } else if (!has_known && are_integers(found)) {
    classes = match_by_index(list, known);
  } else {
    classes = match_by_name(list, names, known.origin);
    if (classes.size() < names.size()) {
      log::info("{}: has {} of the {} classes of {}, matched by name", list.origin, classes.size(),
                names.size(), known.origin);
    }
  }
  for (int32_t& label : list.labels) label = classes[label];
  if (has_known || !known.names.empty()) list.class_names = names;
  require_labels_below(list, known.count);
  return list;
}

bool are_same_classes(const Names& known, const Names& found) {
  if (known.empty() || found.empty()) return !are_out_of_order(known.empty() ? found : known);
  const Names names = as_kept(known);
  return spelled_as(found, names) == found;
}

void require_same_classes(const Names& known, const std::string& origin, const ImageList& list) {
  const Names& found = list.class_names;
  if (are_same_classes(known, found)) return;
  std::string differences;
  int named = 0;
  const size_t count = std::max(known.size(), found.size());
  for (size_t i = 0; i < count && named < 8; ++i) {
    const std::string ours = i < known.size() ? legible_name(known[i]) : "(none)";
    const std::string theirs = i < found.size() ? found[i] : "(none)";
    if (ours != theirs) {
      differences += fmt::format("{}{}: '{}' against '{}'", named++ ? ", " : "", i, ours, theirs);
    }
  }
  throw Error("{}: its {} classes are not the {} of {}; class {}{}", list.origin, found.size(),
              known.size(), origin, differences, named == 8 ? ", ..." : "");
}

}  // namespace mobileone
