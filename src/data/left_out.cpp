#include "mobileone/data/left_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "mobileone/util/log.h"
#include "mobileone/util/lower_case.h"

namespace mobileone {

void LeftOut::add(const std::string& kind, const std::string& example) {
  if (count_++ == 0) example_ = example;
  ++counts_[kind];
}

void LeftOut::add(const LeftOut& others) {
  if (count_ == 0) example_ = others.example_;
  count_ += others.count_;
  for (const auto& [kind, count] : others.counts_) counts_[kind] += count;
}

std::string LeftOut::kinds() const {
  constexpr size_t kShown = 8;
  std::vector<std::pair<std::string, int64_t>> kinds(counts_.begin(), counts_.end());
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (size_t i = 0; i < std::min(kShown, kinds.size()); ++i) {
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", kinds[i].first, kinds[i].second);
  }
  return kinds.size() > kShown ? text + ", ..." : text;
}

void LeftOut::warn(const std::string& origin) const {
  if (empty()) return;
  log::warning("{}: left out {}; the first: {}", origin, kinds(), example_);
}

std::string kind_of_ending(const std::string& extension) {
  constexpr size_t kLongest = 12;  // what is longer is part of a name
  if (extension.size() < 2 || extension.size() > kLongest) return "files without an ending";
  return lower_case(extension);
}

}  // namespace mobileone
