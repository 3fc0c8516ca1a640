#pragma once

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"
#include "mobileone/train/learner.h"

namespace mobileone {

/// Starts a new learner, and its moving average, from the weights in `config.model.pretrained`, of
/// the file's moving average where it has one; does nothing where that names no file. A classifier
/// of other classes than those of `images`, the training set, stays as it was made. Branches of a
/// folded file are put back (model/unfold.h) with the statistics of some images as training sees
/// them.
///
/// Throws Error if the file cannot be read or holds a network of another form, naming the key.
void load_pretrained(const Config& config, const ImageList& images, Learner& learner);

}  // namespace mobileone
