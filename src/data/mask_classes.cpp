#include "mobileone/data/mask_classes.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

#include "mobileone/data/annotation.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/labels.h"
#include "mobileone/data/segment_classes.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/utf8.h"

namespace mobileone {
namespace {

constexpr int kNoClass = -1;
constexpr std::string_view kBackground = "background";

/// The categories of COCO that Pascal VOC calls otherwise.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kVocNames = {{
    {"airplane", "aeroplane"},
    {"motorcycle", "motorbike"},
    {"couch", "sofa"},
    {"potted plant", "pottedplant"},
    {"dining table", "diningtable"},
    {"tv", "tvmonitor"},
}};

/// The first of a file's categories.
std::string names_of(const CocoAnnotations& coco) {
  std::string names;
  for (const CocoCategory& category : coco.categories) {
    if (names.size() > 100) return names + ", ...";
    names += (names.empty() ? "" : ", ") + category.name;
  }
  return names;
}

MaskClasses voc_classes_of(const CocoAnnotations& coco) {
  MaskClasses classes{segment_class_names(DataFormat::kVoc), {}};
  for (const CocoCategory& category : coco.categories) {
    std::string_view name = category.name;
    for (const auto& [of_coco, of_voc] : kVocNames) {
      if (name == of_coco) name = of_voc;
    }
    const auto found = std::find(classes.names.begin(), classes.names.end(), name);
    classes.of_category.push_back(
        found == classes.names.end() ? kNoClass : static_cast<int>(found - classes.names.begin()));
  }
  return classes;
}

MaskClasses all_classes_of(const CocoAnnotations& coco) {
  MaskClasses classes{{std::string(kBackground)}, {}};
  for (const CocoCategory& category : coco.categories) {
    if (category.name == kBackground) {
      classes.of_category.push_back(0);
      continue;
    }
    classes.of_category.push_back(static_cast<int>(classes.names.size()));
    classes.names.push_back(category.name);
  }
  if (std::ssize(classes.names) > kMostMaskClasses) {
    throw Error("{}: has {} categories, more than the {} that a mask can tell apart; choose some",
                coco.path, classes.names.size() - 1, kMostMaskClasses - 1);
  }
  return classes;
}

MaskClasses listed_classes_of(const CocoAnnotations& coco, const std::string& file) {
  const auto& categories = coco.categories;
  MaskClasses classes{{std::string(kBackground)}, std::vector<int>(categories.size(), kNoClass)};
  std::istringstream lines(utf8_of(read_file(file)));
  int64_t number = 0, next = 1;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (trimmed(line).empty()) continue;
    const auto fail = [&](const std::string& what) {
      return Error("{}:{}: {}", file, number, what);
    };
    const size_t sign = line.rfind('=');
    const std::string name = legible_name(trimmed(std::string_view(line).substr(0, sign)));
    int64_t label = name == kBackground ? 0 : next;
    if (sign != line.npos) {
      label = label_integer(trimmed(std::string_view(line).substr(sign + 1))).value_or(-1);
      if (label < 0 || label > kIgnored) {
        throw fail("expected a class behind `=`: 1 to 254, 0 for background, 255 for ignored");
      }
    } else if (label == kIgnored) {
      throw fail("is one class more than the 254 that a mask can tell apart");
    }
    if (name == kBackground && label != 0) throw fail("the background is class 0");
    if (label != kIgnored) next = label + 1;
    const auto category = std::find_if(categories.begin(), categories.end(),
                                       [&](const auto& one) { return one.name == name; });
    if (category == categories.end()) {
      if (name == kBackground) continue;
      throw fail(
          fmt::format("`{}` is no category of {}, whose are {}", name, coco.path, names_of(coco)));
    }
    int& of_category = classes.of_category[category - categories.begin()];
    if (of_category != kNoClass) throw fail(fmt::format("`{}` has a class already", name));
    of_category = static_cast<int>(label);
    if (label == 0 || label == kIgnored) continue;
    if (label >= std::ssize(classes.names)) classes.names.resize(label + 1);
    std::string& names = classes.names[label];
    names += (names.empty() ? "" : "/") + name;
  }
  const auto gap = std::find(classes.names.begin(), classes.names.end(), "");
  if (gap != classes.names.end()) {
    throw Error("{}: gives no category the class {}, but one the class {}; leave out none", file,
                gap - classes.names.begin(), classes.names.size() - 1);
  }
  return classes;
}

}  // namespace

MaskClasses mask_classes(const std::string& choice, const CocoAnnotations& coco) {
  MaskClasses classes = choice == "voc"   ? voc_classes_of(coco)
                        : choice == "all" ? all_classes_of(coco)
                                          : listed_classes_of(coco, choice);
  const auto& of_category = classes.of_category;
  if (std::none_of(of_category.begin(), of_category.end(),
                   [](int label) { return label > 0 && label != kIgnored; })) {
    throw Error("{}: none of its categories has a class by `{}`: {}", coco.path, choice,
                names_of(coco));
  }
  return classes;
}

}  // namespace mobileone
