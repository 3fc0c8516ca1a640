#include "find_weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

#include "byte_cursor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/lower_case.h"

namespace mobileone {
namespace {

constexpr int kMaxDepth = 3;
constexpr size_t kShownNames = 4;
constexpr std::array<std::string_view, 5> kAverageWords = {"ema", "average", "averaged", "avg",
                                                           "swa"};
constexpr std::array<std::string_view, 4> kStateOfTraining = {"optimizer", "optim", "momentum",
                                                              "grad"};
/// The first is preferred. No entry at all, the file itself, comes before them.
constexpr std::array<std::string_view, 7> kUsualEntries = {
    "state_dict", "model", "model_state_dict", "module", "network", "net", "student"};

template <size_t size>
bool has_word(std::string_view text, const std::array<std::string_view, size>& words) {
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), is_letter);
    const auto end = std::find_if_not(begin, text.end(), is_letter);
    const std::string word = lower_case({begin, end});
    if (std::find(words.begin(), words.end(), word) != words.end()) return true;
    begin = end;
  }
  return false;
}

/// A network and the entries and prefix that lead to it from the file.
struct Candidate {
  std::vector<std::string> way;
  Recognized found;

  bool is_average() const {
    return std::any_of(way.begin(), way.end(),
                       [](const auto& step) { return has_word(step, kAverageWords); });
  }

  size_t rank() const {
    if (way.empty()) return 0;
    const auto* usual = std::find(kUsualEntries.begin(), kUsualEntries.end(), way.front());
    const size_t rank = 1 + static_cast<size_t>(usual - kUsualEntries.begin());
    return rank + has_word(way.front(), std::array<std::string_view, 1>{"teacher"});
  }

  std::string place(const std::string& origin) const {
    return way.empty() ? origin : fmt::format("{} > {}", origin, fmt::join(way, " > "));
  }
};

std::string shown(const std::vector<std::string>& names) {
  const size_t count = std::min(names.size(), kShownNames);
  return fmt::format("'{}'{}", fmt::join(names.begin(), names.begin() + count, "', '"),
                     count < names.size() ? ", ..." : "");
}

class WeightsSearch {
 public:
  explicit WeightsSearch(const std::string& origin) : origin_(origin) {}

  void visit(const Value& value, std::vector<std::string> way) {
    StateDict tensors;
    for (const auto& item : value.as_dict()) {
      if (item.value().kind() == Value::Kind::kTensor) {
        tensors.insert(item.key(), item.value().as_tensor());
      }
    }
    add(tensors, way);
    if (way.size() == kMaxDepth) return;
    for (const auto& item : value.as_dict()) {
      if (item.value().kind() != Value::Kind::kDict || has_word(item.key(), kStateOfTraining)) {
        continue;
      }
      way.push_back(printable(item.key()));
      visit(item.value(), way);
      way.pop_back();
    }
  }

  WeightsOfFile choose(const Value& file) {
    drop_scraps();
    auto network = take_best(/*averages=*/false), average = take_best(/*averages=*/true);
    if (!network) network = std::exchange(average, std::nullopt);
    if (!network) throw Error("{}: is no MobileOne: {}", origin_, what_is_there(file));
    for (const Candidate& other : candidates_) {
      log::info("{}: also holds a network at {}, which is left aside", origin_,
                fmt::join(other.way, " > "));
    }
    return {*std::move(network), std::move(average)};
  }

 private:
  void add(const StateDict& tensors, const std::vector<std::string>& way) {
    if (tensors.is_empty()) return;
    if (tensors_ == 0) first_tensor_ = printable(tensors.front().key());
    tensors_ += tensors.size();
    auto networks = recognize_all(tensors);
    const bool several = networks.size() > 1;
    for (Recognized& found : networks) {
      Candidate candidate{way, std::move(found)};
      const std::string& prefix = candidate.found.prefix;
      if (several) candidate.way.push_back(printable(prefix.substr(0, prefix.find('.'))));
      candidates_.push_back(std::move(candidate));
    }
  }

  /// What has a few names of a MobileOne beside a whole one, such as another network's classifier.
  void drop_scraps() {
    size_t most = 0;
    for (const Candidate& candidate : candidates_)
      most = std::max(most, candidate.found.state.size());
    std::erase_if(candidates_, [&](const Candidate& candidate) {
      return 4 * candidate.found.state.size() < most;
    });
  }

  std::optional<FoundWeights> take_best(bool averages) {
    const auto better = [&](const Candidate& a, const Candidate& b) {
      return std::pair(a.is_average() != averages, a.rank()) <
             std::pair(b.is_average() != averages, b.rank());
    };
    const auto best = std::min_element(candidates_.begin(), candidates_.end(), better);
    if (best == candidates_.end() || best->is_average() != averages) return std::nullopt;
    const auto rival = std::find_if(best + 1, candidates_.end(), [&](const Candidate& other) {
      return !better(*best, other) && other.is_average() == averages;
    });
    if (!averages && rival != candidates_.end() && best->rank() > kUsualEntries.size()) {
      throw Error("{}: holds several networks, at {} and {}; save the one that is meant by itself",
                  origin_, fmt::join(best->way, " > "), fmt::join(rival->way, " > "));
    }
    FoundWeights taken{best->place(origin_), std::move(best->found)};
    candidates_.erase(best);
    if (!taken.found.strays.empty()) {
      log::info("{}: {} tensor(s) of no MobileOne left aside: {}", taken.place,
                taken.found.strays.size(), shown(taken.found.strays));
    }
    return taken;
  }

  std::string what_is_there(const Value& file) const {
    if (tensors_ > 0) {
      return fmt::format("none of its {} tensors has a name of one ('{}', ...)", tensors_,
                         first_tensor_);
    }
    std::vector<std::string> entries;
    for (const auto& item : file.as_dict()) {
      if (entries.size() == kShownNames) break;
      entries.push_back(
          fmt::format("'{}' ({})", printable(item.key()), item.value().description()));
    }
    return entries.empty() ? std::string("it holds no tensors")
                           : fmt::format("it holds no tensors, but {}", fmt::join(entries, ", "));
  }

  const std::string& origin_;
  std::vector<Candidate> candidates_;
  size_t tensors_ = 0;
  std::string first_tensor_;
};

}  // namespace

WeightsOfFile find_weights(const Value& file, const std::string& origin) {
  WeightsSearch search(origin);
  search.visit(file, {});
  return search.choose(file);
}

}  // namespace mobileone
