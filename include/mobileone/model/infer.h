#pragma once

#include "mobileone/config/config.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {

/// Whether a state dict under Apple's keys holds no branches.
bool is_folded(const StateDict& state);

/// The configuration of the network that a state dict under Apple's keys belongs to: a published
/// variant, or widths, depths, branches and squeeze-and-excitation of its own. A few missing or
/// wrongly shaped tensors do not mislead it (see `require_fit`). What no tensor tells is the
/// default: the strides, and of a custom folded network the branches it had.
///
/// Throws Error, which names no file, where this cannot be a MobileOne: a stage that is not there,
/// sizes out of the configuration's ranges.
ModelConfig infer_model(const StateDict& state);

/// Likewise of a head of segmentation, of which there must be one (`infer_model(state).head`). What
/// no tensor tells is the default: the output stride, the rates, dropout, the auxiliary loss's
/// weight where there is such a head.
SegmentConfig infer_segment(const StateDict& state);

/// Likewise of a head of detection. No tensor tells its anchors but for their number.
DetectConfig infer_detect(const StateDict& state);

}  // namespace mobileone
