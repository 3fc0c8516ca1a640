#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/data/annotation.h"
#include "mobileone/data/image_storage.h"
#include "mobileone/data/index_mask.h"

namespace mobileone {

/// The images of a data set; never empty. Copies share the storage.
struct ImageList {
  std::string origin;                    ///< folder, CSV file, shards or pack, for messages
  std::vector<std::string> class_names;  ///< by label, each on one line; empty where labels are
                                         ///< integers
  std::vector<int32_t> labels;           ///< of each image, not negative; -1 where there are masks
                                         ///< or objects
  std::shared_ptr<const ImageStorage> storage;
  bool are_indices = false;  ///< labels without names are said to be indices of classes
  /// Mask i, the bytes of a file of indices or decoded labels [H,W], belongs to image i; null where
  /// the set has none.
  std::shared_ptr<const ImageStorage> masks = nullptr;
  MaskLabels mask_labels = {};  ///< what the values of masks' files stand for
  /// What is in each image; null where the set has no boxes.
  std::shared_ptr<const ObjectTable> objects = nullptr;

  int64_t size() const { return std::ssize(labels); }
  std::string name(int64_t index) const { return storage->name(index); }
  /// Tries a few times where the system fails; throws SystemError then, Error for what is wrong
  /// with the image.
  StoredImage read(int64_t index) const;
  /// Likewise the mask, of a set that has masks.
  StoredImage read_mask(int64_t index) const;
  /// What is known of the image: its label, its objects, or its mask, read and decoded. Throws like
  /// `read`, naming the mask, and Error where a label is none of the classes.
  Annotation annotation(int64_t index) const;
  /// "cat", or "3" where classes have no names.
  std::string class_name(int64_t label) const {
    return class_names.empty() ? std::to_string(label) : class_names[label];
  }
};

/// Reads a data set's list, whatever holds it:
/// - a folder of class folders (class_folders.h);
/// - a CSV list (csv_list.h);
/// - tar shards: one, a folder of them, or a range of them, "DIR/{000..146}.tar" (tar_shards.h);
/// - a pack (pack.h).
/// Images are not opened, masks passed over. Throws Error naming the folder, or file and line, and
/// where images have masks only.
ImageList read_image_list(const std::string& path);

/// An image of the list as pixels, uint8 [H,W,3]; `upright` as in `decode_image`. What is returned
/// may point into the storage. Throws Error.
at::Tensor read_pixels(const ImageList& list, int64_t index, bool upright = false);

/// SHA-1 of labels and names (relative to the data set) in their order, as hexadecimal digits:
/// equal for a copy of the set elsewhere and for a pack of it. Pixels are not looked at.
std::string fingerprint(const ImageList& list);

/// SHA-1 of the sizes of the image files, of 16,384 of them evenly spread where there are more:
/// tells of files that were replaced under their names, in milliseconds. Empty where a size is not
/// known.
std::string sizes_fingerprint(const ImageList& list);

/// Throws Error if so many of the list's images that cannot be read are more than 1 % of them, and
/// more than one. `last` is what is wrong with the last of them, if that is known.
void require_few_damaged(const ImageList& list, int64_t damaged, const std::string& last = "");

/// Throws Error naming the first image whose label a network of `num_classes` outputs lacks.
void require_labels_below(const ImageList& list, int64_t num_classes);

}  // namespace mobileone
