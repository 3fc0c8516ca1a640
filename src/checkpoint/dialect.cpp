#include "mobileone/checkpoint/dialect.h"

#include <algorithm>
#include <charconv>
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

constexpr std::string_view kBackbone = "backbone.";
constexpr char kUnknown = '?';
constexpr std::string_view kWrappers[] = {"module.", "_orig_mod.", "model."};

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

/// The wrappers' prefixes that all names have.
std::string common_prefix(const StateDict& state) {
  std::string prefix;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : kWrappers) {
      const std::string longer = prefix + std::string(wrapper);
      found = std::all_of(state.begin(), state.end(),
                          [&](const auto& item) { return item.key().starts_with(longer); });
      if (!found) continue;
      prefix = longer;
      break;
    }
  }
  return prefix;
}

int64_t count_known(const StateDict& state, size_t prefix, Dialect dialect) {
  return std::count_if(state.begin(), state.end(), [&](const auto& item) {
    return translate(std::string_view(item.key()).substr(prefix), dialect, Dialect::kApple);
  });
}

}  // namespace

std::optional<std::string> translate(std::string_view name, Dialect from, Dialect to) {
  if (const auto head = rewrite(kHeads, name, from, to)) return *head + std::string(name);
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
  return prefix + translate(name, Dialect::kApple, dialect).value_or(name);
}

std::optional<Recognized> recognize(const StateDict& state) {
  if (state.is_empty()) return std::nullopt;
  Recognized found;
  found.prefix = common_prefix(state);
  int64_t most = 0;
  for (const auto& entry : enum_names(Dialect{})) {
    const int64_t known = count_known(state, found.prefix.size(), entry.value);
    if (known <= most) continue;
    most = known;
    found.dialect = entry.value;
  }
  if (most == 0) return std::nullopt;
  for (const auto& item : state) {
    const std::string name = item.key().substr(found.prefix.size());
    const auto apples = translate(name, found.dialect, Dialect::kApple);
    const bool taken = !apples || found.state.contains(*apples);
    found.state.insert(taken ? kUnknown + item.key() : *apples, item.value());
  }
  return found;
}

}  // namespace mobileone
