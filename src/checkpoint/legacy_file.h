#pragma once

#include <filesystem>
#include <string_view>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// What such a file begins with: the pickle of the number 0x1950a86a20f9469cfc6c.
inline constexpr std::string_view kLegacyMagic =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Reads what `torch.save` wrote before torch 1.6, and later on demand: the magic number, a version
/// and a description of the machine, the value, and the keys of its storages, each a pickle; then
/// for each key the number of elements and the elements (torch/serialization.py, _legacy_load).
/// There are no check sums. Throws Error, which does not name the file.
Value read_legacy_file(const std::filesystem::path& path);

}  // namespace mobileone
