#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "mobileone/data/image_list.h"

namespace mobileone {

// A pack is one file that holds a data set: it is mapped into memory and read without a system
// call. Numbers are little-endian.
//
//   header   128 bytes: mark (8), version (4), kind (4), images (8), settings (12), fingerprint
//            (40), what masks' values stand for (12) or the CRC-32C of what is known of the set's
//            objects (4), zeros, CRC-32C of the 124 bytes before (4)
//   records  of the images in their order, each from a multiple of 64 on: an image file's bytes, or
//            uint8 [H,W,3]; empty if the image could not be read when the pack was made
//   index    an entry of 32 bytes for each image: offset (8), size, CRC-32C of the record, height,
//            width (0 if it is a file's bytes), label, end of its name (4 each); the number of
//            classes (4) and of each the length (4) and the name; the names of the images
//   footer   32 bytes: offset and size of the index (8 each), its CRC-32C (4), 4 zeros, mark (8)
//
// Version 1 is of images with labels. In version 2 each image is followed by its mask, with a
// record (a mask file's bytes, or uint8 [H,W], the labels of as many pixels as the image has), an
// entry and a name of its own; labels are 0. Of the two records both are empty or neither.
//
// Version 3 is of images with objects: an entry's label is the number of the image's objects.
// Behind the entries the index has all objects, of 48 bytes each: left, top, right, bottom and area
// (doubles in pixels of the image as it is packed), label (4), flags (4: 1 for a crowd, 2 for a
// difficult one); then of each image its id (8). The classes' ids (8 each) follow their names.

struct PackSettings {
  bool decoded = false;      ///< pixels, not files
  int64_t short_side = 256;  ///< px; of decoded images, at most; 0: any
  int64_t max_side = 0;      ///< px; likewise of the longer side; one of the two is 0
  bool upright = false;      ///< decoded images are turned as their EXIF orientation says
};

struct PackSummary {
  int64_t images = 0;
  int64_t unreadable = 0;  ///< of these, empty records
  uint64_t bytes = 0;      ///< of the file
  bool was_there = false;
};

/// Whether a file begins as a pack does.
bool is_pack(const std::filesystem::path& path);

/// Throws Error naming the file and what is wrong with it.
ImageList read_pack(const std::string& path);

/// What `bytes`, a whole pack, hold; `name` stands for it in messages. They must stay as long as
/// the list. Throws Error.
ImageList parse_pack(std::string_view bytes, const std::string& name);

/// Packs the images of a list, and their masks or objects, decoding in `threads` threads; masks are
/// reduced as their images are, by nearest neighbour, and boxes with them. The file appears when it
/// is whole; until then the folder `path`.partial holds what is done, from which the next call goes
/// on: the result is the same, byte for byte. A pack of the same images and settings that is there
/// already is left as it is. Damaged images, and those with a damaged mask, become empty records,
/// and are named in a warning. Throws Error if more than 1 % (and more than one) are so, if one
/// cannot be read for another reason, if `path` or the partial holds something else, if another
/// process is at it, or if it cannot be written.
PackSummary write_pack(const ImageList& list, const std::filesystem::path& path,
                       const PackSettings& settings, int64_t threads);

}  // namespace mobileone
