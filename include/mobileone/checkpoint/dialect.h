#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {

/// How the projects that publish MobileOne's weights name its tensors: Apple's ml-mobileone (and
/// this program), timm, mmpretrain, Apple's CoreNet.
enum class Dialect { kApple, kTimm, kMmpretrain, kCoreNet };

inline constexpr auto enum_names(Dialect) {
  return std::array<EnumName<Dialect>, 4>{{{Dialect::kApple, "apple"},
                                           {Dialect::kTimm, "timm"},
                                           {Dialect::kMmpretrain, "mmpretrain"},
                                           {Dialect::kCoreNet, "corenet"}}};
}

/// What a tensor of `from` is called in `to`; nothing if no MobileOne has one of that name. The
/// "backbone." that mmpretrain puts before all but its head is written, but need not be there to be
/// read.
std::optional<std::string> translate(std::string_view name, Dialect from, Dialect to);

/// A state dict under Apple's keys in another dialect, in the same order.
StateDict to_dialect(const StateDict& state, Dialect dialect);

/// A state dict in some dialect, under Apple's keys.
struct Recognized {
  Dialect dialect = Dialect::kApple;
  std::string prefix;  ///< that wrappers put before its names ("module._orig_mod."), which is gone
  StateDict state;     ///< in the original's order; a name that means nothing stands behind a '?'
  std::vector<std::string> strays;  ///< names of tensors that are not under the prefix

  /// What the tensor `name` of `state`, or one that is missing there, is called in the original.
  std::string spell(const std::string& name) const;
};

/// The network, under the prefix and in the dialect by which most names are known; nothing if none
/// is. Wrappers' prefixes within a name ("stage1._orig_mod.0", "_fsdp_wrapped_module.") are passed
/// over, and so is what programs leave beside weights (n_averaged of `AveragedModel`, counts of
/// thop).
std::optional<Recognized> recognize(const StateDict& state);

/// The same and, after it, other networks of at least half its size that stand beside it under
/// other prefixes ("student.", "teacher."). Strays are those of all, with the first.
std::vector<Recognized> recognize_all(const StateDict& state);

}  // namespace mobileone
