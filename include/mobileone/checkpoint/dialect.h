#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

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
  std::string prefix;  ///< that a wrapper put before every name ("module."), which is gone
  StateDict state;     ///< in the original's order; a name that means nothing stands behind a '?'

  /// What the tensor `name` of `state`, or one that is missing there, is called in the original.
  std::string spell(const std::string& name) const;
};

/// The dialect is the one that knows most of the names; nothing if all know none.
std::optional<Recognized> recognize(const StateDict& state);

}  // namespace mobileone
