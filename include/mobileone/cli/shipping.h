#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/export/compare.h"
#include "mobileone/export/package.h"

namespace mobileone::cli {

/// What a written network takes and gives.
struct InterfaceOptions {
  bool with_preprocessing = false;
  OutputChoices outputs;

  Preprocessing preprocessing() const {
    return with_preprocessing ? Preprocessing::kInside : Preprocessing::kOutside;
  }
};

/// Adds --with-preprocessing, --argmax and --raw-outputs.
void add_interface_options(CLI::App& command, InterfaceOptions& options);

/// What a command that writes networks for others does about one that computes nothing right: it
/// throws Error and writes nothing, or warns where --force was given.
class ShippingCheck {
 public:
  explicit ShippingCheck(bool force) : force_(force) {}

  /// The network of a checkpoint (the file `origin`), whose weights are to be sound.
  MobileOne network(const Checkpoint& checkpoint, const std::string& origin,
                    std::optional<Weights> wanted = {}) const;

  /// The network's logits on fixed images of `size` px are to be finite, and not as large as no
  /// trained network's, which is a warning.
  void logits(MobileOne network, int64_t size, const std::string& origin) const;

  /// A folded network's logits are to agree with the unfolded one's. `what` are the images.
  void agreement(const Difference& difference, torch::ScalarType type,
                 const std::string& what) const;

 private:
  void object(const std::string& objection) const;

  bool force_;
};

inline constexpr const char* kForceHelp =
    "Write the file even if weights are unsound (NaN, infinite, no variance) or outputs differ";

}  // namespace mobileone::cli
