#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/object.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// A rectangle of whole pixels that a random crop takes of a picture with boxes, by the rules of
/// `crop` (docs/detection.md); all of it where no such rectangle was found or none was wanted.
/// There is at least one object.
CropBox random_box_crop(BoxCrop crop, int64_t height, int64_t width,
                        const std::vector<Object>& objects, Random& random);

/// What training does to a picture with boxes: zoomed out and cropped as `augment.detect` says,
/// resized to `size`, squashed into a square or with `data.letterbox` in its shape, flipped with
/// probability `augment.flip`, distorted in its colours. One without objects is cropped as if it
/// were one itself. All but the last is one cut, so that no
/// pixel is resized twice. What lies outside of the picture has the mean colour of `data`.
Transform detect_train_transform(const AugmentConfig& augment, const DataConfig& data,
                                 int64_t size);

/// The whole picture, squashed into a square of data.eval_crop pixels or, with data.letterbox, in
/// its shape in the middle of one.
Transform detect_eval_transform(const DataConfig& data);

}  // namespace mobileone
