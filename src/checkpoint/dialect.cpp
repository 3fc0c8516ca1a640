#include "mobileone/checkpoint/dialect.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

/// The same in each dialect, in the order of Dialect. '#' stands for a number, '<' for one less
/// than Apple's, '>' for one more.
using Spellings = std::array<std::string_view, 4>;

constexpr Spellings kUnits[] = {
    {"stage0.", "stem.", "stage0.", "conv_1."},
    {"stage#.#.", "stages.<.#.", "stage#.#.", "layer_>.#."},
};
constexpr Spellings kParts[] = {
    {"rbr_conv.#.conv.", "conv_kxk.#.conv.", "branch_conv_list.#.conv.", "rbr_conv.#.block.conv."},
    {"rbr_conv.#.bn.", "conv_kxk.#.bn.", "branch_conv_list.#.norm.", "rbr_conv.#.block.norm."},
    {"rbr_scale.conv.", "conv_scale.conv.", "branch_scale.conv.", "rbr_scale.block.conv."},
    {"rbr_scale.bn.", "conv_scale.bn.", "branch_scale.norm.", "rbr_scale.block.norm."},
    {"rbr_skip.", "identity.", "branch_norm.", "rbr_skip."},
    {"se.reduce.", "attn.fc1.", "se.conv1.conv.", "se.se_layer.fc1.block.conv."},
    {"se.expand.", "attn.fc2.", "se.conv2.conv.", "se.se_layer.fc2.block.conv."},
    {"reparam_conv.", "reparam_conv.", "branch_reparam.", "reparam_conv."},
};
constexpr Spellings kHeads[] = {
    {"linear.", "head.fc.", "head.fc.", "classifier.classifier_fc."},
};
/// Of DeepLabV3's head and SSDLite's, which are spelled as here in each dialect.
constexpr std::string_view kOwnHeads[] = {
    "head.extra#_reduce.",
    "head.extra#_depthwise.",
    "head.extra#_expand.",
    "head.level#_depthwise.",
    "head.level#_classes.",
    "head.level#_classes_depthwise.",
    "head.level#_boxes.",
    "head.level#_boxes_depthwise.",
    "head.aspp#.",
    "head.aspp#_depthwise.",
    "head.aspp#_pointwise.",
    "head.pooling.",
    "head.project.",
    "head.auxiliary.",
    "head.auxiliary_classify.",
    "head.classify.",
};

constexpr std::string_view kBackbone = "backbone.";
constexpr char kUnknown = '?';
/// Of DataParallel, torch.compile, FSDP and checkpointed activations.
constexpr std::string_view kWrappers[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.",
                                          "_checkpoint_wrapped_module."};
/// Last words of tensors that programs leave beside weights: AveragedModel and thop.
constexpr std::string_view kLeftBeside[] = {"n_averaged", "total_ops", "total_params"};
constexpr int kMaxPrefixDepth = 6;

size_t index_of(Dialect dialect) { return static_cast<size_t>(dialect); }

int64_t offset_of(char placeholder) { return placeholder == '<' ? -1 : placeholder == '>'; }

bool is_placeholder(char c) { return c == '#' || c == '<' || c == '>'; }

/// Takes a number without leading zeros, of at most six digits.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t number = 0;
  const char* end = text.data() + std::min<size_t>(text.size(), 6);
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const auto length = static_cast<size_t>(stop - text.data());
  if (error != std::errc() || number < 0 || (length > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(length);
  return number;
}

/// Takes what fits the pattern from the beginning of `text` and adds its numbers as Apple counts.
bool take(std::string_view pattern, std::string_view& text, std::vector<int64_t>& numbers) {
  for (const char c : pattern) {
    if (is_placeholder(c)) {
      const auto number = take_number(text);
      if (!number) return false;
      numbers.push_back(*number - offset_of(c));
    } else {
      if (!text.starts_with(c)) return false;
      text.remove_prefix(1);
    }
  }
  return true;
}

std::string fill(std::string_view pattern, const std::vector<int64_t>& numbers) {
  std::string text;
  size_t used = 0;
  for (const char c : pattern) {
    if (is_placeholder(c)) {
      text += std::to_string(numbers[used++] + offset_of(c));
    } else {
      text += c;
    }
  }
  return text;
}

/// Rewrites the beginning of `name` by the first row that fits it and takes it off.
template <typename Rows>
std::optional<std::string> rewrite(const Rows& rows, std::string_view& name, Dialect from,
                                   Dialect to) {
  for (const Spellings& row : rows) {
    std::vector<int64_t> numbers;
    std::string_view rest = name;
    if (!take(row[index_of(from)], rest, numbers)) continue;
    name = rest;
    return fill(row[index_of(to)], numbers);
  }
  return std::nullopt;
}

/// What stands before a network's names, and the dialect that these are of.
struct Reading {
  std::string_view prefix;
  Dialect dialect;
  int64_t known = 0;  ///< names that mean something, read so
};

/// What is left of a name without the wrappers that stand somewhere in it.
std::string unwrapped(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const auto* wrapper =
        std::find_if(std::begin(kWrappers), std::end(kWrappers),
                     [&](std::string_view known) { return name.starts_with(known); });
    const bool wraps = wrapper != std::end(kWrappers);
    const size_t length = wraps ? wrapper->size() : std::min(name.find('.'), name.size() - 1) + 1;
    if (!wraps) plain += name.substr(0, length);
    name.remove_prefix(length);
  }
  return plain;
}

std::optional<std::string> apples_name(std::string_view name, Dialect dialect) {
  return translate(unwrapped(name), dialect, Dialect::kApple);
}

/// Every way to read names of `state` of which some mean something then: the best first, of equally
/// good ones that with the longest prefix.
std::vector<Reading> readings(const StateDict& state) {
  std::map<std::pair<std::string_view, Dialect>, int64_t> known;
  for (const auto& item : state) {
    const std::string_view name = item.key();
    size_t begin = 0;
    for (int depth = 0; depth <= kMaxPrefixDepth && begin < name.size(); ++depth) {
      for (const auto& entry : enum_names(Dialect{})) {
        if (apples_name(name.substr(begin), entry.value)) {
          ++known[{name.substr(0, begin), entry.value}];
        }
      }
      begin = name.find('.', begin);
      if (begin++ == std::string_view::npos) break;
    }
  }
  std::vector<Reading> found;
  for (const auto& [reading, count] : known)
    found.push_back({reading.first, reading.second, count});
  std::stable_sort(found.begin(), found.end(), [](const Reading& a, const Reading& b) {
    return std::pair(a.known, a.prefix.size()) > std::pair(b.known, b.prefix.size());
  });
  return found;
}

/// The best reading, and those of other networks beside it.
std::vector<Reading> networks_among(const std::vector<Reading>& all) {
  std::vector<Reading> networks;
  for (const Reading& reading : all) {
    const bool apart = std::none_of(networks.begin(), networks.end(), [&](const Reading& taken) {
      return taken.prefix.starts_with(reading.prefix) || reading.prefix.starts_with(taken.prefix);
    });
    if (apart && 2 * reading.known >= all.front().known) networks.push_back(reading);
  }
  return networks;
}

bool is_left_beside(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return std::find(std::begin(kLeftBeside), std::end(kLeftBeside), last) != std::end(kLeftBeside);
}

Recognized read_as(const Reading& reading, const StateDict& state) {
  Recognized found;
  found.dialect = reading.dialect;
  found.prefix = reading.prefix;
  for (const auto& item : state) {
    const std::string_view name = item.key();
    if (!name.starts_with(reading.prefix) || is_left_beside(name)) continue;
    const auto apples = apples_name(name.substr(reading.prefix.size()), reading.dialect);
    const bool taken = !apples || found.state.contains(*apples);
    found.state.insert(taken ? kUnknown + item.key() : *apples, item.value());
  }
  return found;
}

}  // namespace

std::optional<std::string> translate(std::string_view name, Dialect from, Dialect to) {
  if (const auto head = rewrite(kHeads, name, from, to)) return *head + std::string(name);
  for (const std::string_view part : kOwnHeads) {
    std::vector<int64_t> numbers;
    if (std::string_view rest = name; take(part, rest, numbers)) return std::string(name);
  }
  if (name.starts_with(kBackbone)) name.remove_prefix(kBackbone.size());
  const auto unit = rewrite(kUnits, name, from, to);
  if (!unit) return std::nullopt;
  const auto part = rewrite(kParts, name, from, to);
  if (!part) return std::nullopt;
  const std::string_view prefix = to == Dialect::kMmpretrain ? kBackbone : "";
  return fmt::format("{}{}{}{}", prefix, *unit, *part, name);
}

StateDict to_dialect(const StateDict& state, Dialect dialect) {
  StateDict renamed;
  for (const auto& item : state) {
    const auto name = translate(item.key(), Dialect::kApple, dialect);
    if (!name) throw Error("no MobileOne has a tensor '{}'", item.key());
    renamed.insert(*name, item.value());
  }
  return renamed;
}

std::string Recognized::spell(const std::string& name) const {
  if (name.starts_with(kUnknown)) return name.substr(1);
  std::string theirs = translate(name, Dialect::kApple, dialect).value_or(name);
  if (prefix.ends_with(kBackbone) && theirs.starts_with(kBackbone)) {
    theirs.erase(0, kBackbone.size());
  }
  return prefix + theirs;
}

std::vector<Recognized> recognize_all(const StateDict& state) {
  const auto networks = networks_among(readings(state));
  std::vector<Recognized> found;
  for (const Reading& reading : networks) found.push_back(read_as(reading, state));
  if (found.empty()) return found;
  for (const auto& item : state) {
    const bool belongs = std::any_of(networks.begin(), networks.end(), [&](const Reading& reading) {
      return item.key().starts_with(reading.prefix);
    });
    if (!belongs && !is_left_beside(item.key())) found.front().strays.push_back(item.key());
  }
  return found;
}

std::optional<Recognized> recognize(const StateDict& state) {
  auto found = recognize_all(state);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace mobileone
