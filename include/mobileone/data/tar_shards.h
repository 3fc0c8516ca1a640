#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/data/shard_index.h"

namespace mobileone {

// Tar archives in WebDataset's layout: the files of a sample follow each other and share a name up
// to the first dot behind the last slash. What ends in jpg, png, ... is its image. Its label is the
// text of the file that ends in cls (class, label, target, index), or else of a JSON object's
// "label" ("class", "target", ...): an index of a class, or in all samples a name. Files that share
// a name up to their last dot, image and label, are a sample of their own, so that "img.0001.jpg"
// and "img.0002.jpg" are two; where there are no such, "7.input.jpg" and "7.target.cls" are one.
// Other files are passed over. Where no sample has a label, the folder that an image lies in, below
// the one that holds all, names its class. Instead of a label an image may have a mask of its
// pixels' classes: of "7.jpg" what is called "7.mask.png", of "img.0001.jpg" "img.0001.mask.png";
// or the boxes of its objects, in the annotation of Pascal VOC's that is called "7.xml".

/// Whether a data set of this name is read as shards: a .tar, .tar.gz or .tgz file, a name with {},
/// or a folder of such files that has no folders in it.
bool names_shards(const std::string& path);

/// The files that such a name stands for, in order: of a folder, sorted; of "{000..146}", one for
/// each number with as many digits, of "{a,b}", one for each. Throws Error.
std::vector<std::string> shard_files(const std::string& path);

/// Reads the headers of the shards, once, each shard in one of a few threads; compressed ones are
/// unpacked into a file of this process (shard_files.cpp). Names of classes are the lines of
/// classes.txt beside the first shard, if it is there. Images are read by position: several threads
/// share no state of a file. A shard that changes while it is in use gives errors, never another
/// image. The classes of boxes are the names that occur, sorted. Throws Error for damaged and cut
/// off shards, and where labels, masks or boxes are missing; what is left out is counted in a
/// warning.
ImageList read_shards(const std::string& path, Samples samples = Samples::kLabelled);

}  // namespace mobileone
