#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone {

// Tar archives in WebDataset's layout: the files of a sample follow each other and share a name up
// to the first dot behind the last slash. What follows that dot says what they are, in any case of
// letters: an image (jpg, png, ...), its label as a number (cls), or a JSON object whose "label" is
// one (json; where there is a cls, that). Other files are passed over.

/// Whether a data set of this name is read as shards: a .tar file, a name with {}, or a folder of
/// .tar files that has no folders in it.
bool names_shards(const std::string& path);

/// The files that such a name stands for, in order: of a folder, sorted; of "{000..146}", one for
/// each number with as many digits, of "{a,b}", one for each. Throws Error.
std::vector<std::string> shard_files(const std::string& path);

/// Reads the headers of the shards, once, each shard in one of a few threads. Names of classes are
/// the lines of classes.txt beside the first shard, if it is there. Images are read by position:
/// several threads share no state of a file. A shard that changes while it is in use gives errors,
/// never another image. Throws Error for damaged, cut off and unlabelled shards; samples without an
/// image are counted in a warning.
ImageList read_shards(const std::string& path);

}  // namespace mobileone
