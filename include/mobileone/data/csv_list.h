#pragma once

#include <string>

#include "mobileone/data/image_list.h"

namespace mobileone {

/// A table of images and labels as text, UTF-8 or UTF-16: fields between commas, semicolons or
/// tabs, whichever the first line, which names the columns, has most of. In any case of letters,
/// with blanks or dashes for underscores:
/// - the image's path is in `path`, `file`, `filename`, `image`, ...; relative paths start at the
///   table's folder;
/// - its label is in `label`, `class`, `target`, ...: all of them integers, the indices of classes,
///   or all of them names, whose sorted order gives the indices; in `class_index`, `target_index`,
///   ...: indices for certain; in `class_name`, `wnid`, ...: names for certain, integers too.
/// Other columns, empty rows and empty fields behind the last column are passed over. Throws Error
/// naming file and line.
ImageList read_csv_list(const std::string& path);

/// Whether a file of this name is read as one: .csv or .tsv, in any case.
bool is_csv_list(const std::string& path);

}  // namespace mobileone
