#pragma once

#include <optional>
#include <string>

#include "mobileone/checkpoint/dialect.h"
#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// A network's weights in a file of another program.
struct FoundWeights {
  std::string place;  ///< "x.pth", "x.pth > state_dict"
  Recognized found;
};

/// What a file has to offer.
struct WeightsOfFile {
  FoundWeights network;
  std::optional<FoundWeights> average;  ///< its moving average
};

/// Looks for weights in the file itself and in the dicts in it, up to three deep, whatever their
/// entries are called; one dict may also hold several networks under prefixes of their own. A place
/// that has "ema", "average" or "swa" as a word is a moving average's. Of several other networks
/// the one in a usual entry is taken ("state_dict", "model", ...) and a teacher last of all; what
/// is left aside is logged. Throws Error in one line that names the file, `origin`: no dict, no
/// tensors, none of a MobileOne, or several networks with nothing to choose by.
WeightsOfFile find_weights(const Value& file, const std::string& origin);

}  // namespace mobileone
