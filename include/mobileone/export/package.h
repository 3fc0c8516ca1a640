#pragma once

#include <functional>
#include <string>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/export/compare.h"
#include "mobileone/export/description.h"
#include "mobileone/graph/graph.h"

namespace mobileone {

/// All that a file of any format is written of.
struct Package {
  graph::Graph graph;
  Description description;
  Config config;  ///< of the run that the network comes from
  /// What LibTorch makes of the network: float [N,C,H,W], normalised → its first output. Files are
  /// compared with it.
  std::function<at::Tensor(const at::Tensor&)> reference;
};

/// What may be asked of a format; `Format::options` says what it knows.
struct FormatOptions {
  bool frozen = false;  ///< weights become constants of the code
  /// Only operators that every build of LibTorch has. Without, convolution, bias and ReLU are one
  /// operator of oneDNN on a CPU in float32, where no gradient is asked for; builds without oneDNN
  /// cannot load that.
  bool portable = false;
  bool unchecked = false;  ///< written even if it does not agree with the network
};

/// What a network gives instead of what its task usually has.
struct OutputChoices {
  bool argmax = false;  ///< segmentation: the class of each pixel, uint8 [N,H,W], not logits
  /// Detection: all scores and boxes of any number of images, not the detections of one.
  bool raw = false;
};

/// The folded network in evaluation mode with numbers of `type`. Throws Error naming a weight that
/// float16 cannot hold; `origin` says where the network comes from.
MobileOne fold_for_export(const MobileOne& network, ExportType type, const std::string& origin);

/// A network that `fold_for_export` made of `checkpoint` (the file `source`), packed up in its
/// type. Throws Error if the choices of its outputs are another task's.
Package package(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                Preprocessing preprocessing, const OutputChoices& outputs = {});

/// The same with what was made of the network's graph (model/lower.h), such as its quantised form.
Package package(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                Preprocessing preprocessing, const OutputChoices& outputs, graph::Graph lowered);

/// How far the outputs of a written network are from those of the package, on fixed images.
Difference compare(const Package& package,
                   const std::function<at::Tensor(const at::Tensor&)>& written);

}  // namespace mobileone
