#pragma once

#include <cstdint>
#include <string>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"

namespace mobileone {

/// Reads the list of a set of images with masks (docs/data.md). `path` is
/// - a folder of images, whose masks lie in `masks`, a folder with files of the same relative names
///   but for their ending, .png; where `masks` is empty it is found beside the images: `Xannot`
///   beside `X`, or a path in which `annotations`, `masks` or `labels` takes the place of `images`,
///   or of `JPEGImages` `SegmentationClass`;
/// - a list (.txt), each line of which is an image's path and its mask's, of which the longest tail
///   counts that exists below the list's folder or one above it; or is a name in Pascal VOC's
///   folders, `ImageSets/Segmentation/train.txt`;
/// - tar shards or a pack with masks.
/// `data.format` says what labels mean and which names classes have: `camvid`, `voc`, `ade20k`, or
/// `folders`, whose classes are the lines of classes.txt beside the folder of images or of masks,
/// or else numbers; `auto` tells it from the names of folders. Masks are not opened. Throws Error
/// for images without a mask, and where nothing is found.
ImageList read_mask_list(const std::string& path, const std::string& masks, const DataConfig& data);

/// A set of any kind: as `read_object_list` where data.train_annotations or a format of boxes is
/// given, or the path is likely to be of images with boxes; as `read_mask_list` where `masks` or
/// `data.format` is given, the path is likely to be of images with masks, or the pack or shards
/// hold masks and no labels; otherwise as `read_image_list`.
ImageList read_any_list(const std::string& path, const std::string& masks, const DataConfig& data);

/// Whether a path is likely to be of images with masks: a list, or a folder beside which there are
/// masks.
bool names_mask_set(const std::string& path);

/// The number of classes of a set with masks: that of their names or, where they have none, one
/// more than the largest label in any mask, all of which are then read, in as many threads. Damaged
/// masks count as nothing.
int64_t count_mask_classes(const ImageList& list, int64_t threads);

}  // namespace mobileone
