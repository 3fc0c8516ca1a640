#pragma once

#include <cstdint>
#include <string_view>

namespace mobileone {

/// The check sum of zip and PNG (ISO 3309).
uint32_t crc32(std::string_view bytes);

/// Castagnoli's, of TFRecord files (RFC 3720, appendix B.4). By the processor's own instruction
/// where it has one: as fast as memory is read.
uint32_t crc32c(std::string_view bytes);

/// The same without that instruction.
uint32_t portable_crc32c(std::string_view bytes);

}  // namespace mobileone
