#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mobileone {

struct Sample {
  std::string path;
  int64_t label;
};

/// The images of a data set; never empty.
struct ImageList {
  std::string origin;  ///< folder or CSV file, for messages
  std::vector<Sample> samples;
  std::vector<std::string> class_names;  ///< by label; empty where labels came as integers
};

/// Reads a data set's list:
/// - a folder of class folders, as torchvision's ImageFolder: the sorted names of the class folders
///   are the labels 0, 1, ...; every image below a class folder belongs to it (by extension: jpg
///   jpeg png ppm bmp pgm tif tiff webp, in any case); what begins with a dot is passed over;
/// - a CSV file whose first line names its columns: `path` or `file` (relative paths start at the
///   CSV's folder) and `label` or `class_index` (all of them non-negative integers, or all names,
///   whose sorted order gives the integers); other columns are ignored.
/// Images are not opened. Throws Error naming the folder, or file and line.
ImageList read_image_list(const std::string& path);

/// SHA-1 of labels and paths (relative to the data set) in their order, as hexadecimal digits:
/// equal for a copy of the set elsewhere. Pixels are not looked at.
std::string fingerprint(const ImageList& list);

/// Throws Error naming the first sample whose label a network of `num_classes` outputs lacks.
void require_labels_below(const ImageList& list, int64_t num_classes);

/// Whether the names of two sets of classes are the same in the same order. ImageNet's class
/// folders, which are named by id, are the classes that published weights name in words. Where
/// either side has no names there is nothing to compare.
bool are_same_classes(const std::vector<std::string>& expected,
                      const std::vector<std::string>& found);

/// Throws Error listing the differences unless they are so; `expected_origin` says where the first
/// ones come from.
void require_same_classes(const std::vector<std::string>& expected,
                          const std::string& expected_origin, const ImageList& list);

}  // namespace mobileone
