#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// The classes that the masks of a format have, by label: the 21 of Pascal VOC, background first,
/// the 150 of ADE20K, the 11 of CamVid as SegNet counts them. None where a format has none of its
/// own.
const std::vector<std::string>& segment_class_names(DataFormat format);

}  // namespace mobileone
