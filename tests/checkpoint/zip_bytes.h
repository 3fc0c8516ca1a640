#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mobileone::testing {

template <typename Number>
std::string bytes(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

/// A record as it is, and what its directory entry says of it.
struct Record {
  std::string name = "a/data.pkl";
  std::string data = "hello";
  uint32_t crc = 0;
  uint16_t method = 0;
  uint32_t stored_size = 5;
  uint32_t size = 5;
  std::optional<uint32_t> offset = std::nullopt;
  std::string extra = "";
  uint16_t local_extra = 0;  // so many bytes more between header and data, says the header
};

inline std::string make_zip(const std::vector<Record>& records,
                            std::optional<uint16_t> count = {}) {
  std::string file, directory;
  for (const Record& record : records) {
    const auto offset = static_cast<uint32_t>(file.size());
    const auto names = bytes<uint16_t>(record.name.size());
    file += "PK\x03\x04" + std::string(22, '\0') + names + bytes(record.local_extra) + record.name +
            record.data;
    directory += "PK\x01\x02" + std::string(6, '\0') + bytes(record.method) + std::string(4, '\0') +
                 bytes(record.crc) + bytes(record.stored_size) + bytes(record.size) + names +
                 bytes<uint16_t>(record.extra.size()) + std::string(10, '\0') +
                 bytes(record.offset.value_or(offset)) + record.name + record.extra;
  }
  const auto entries = count.value_or(static_cast<uint16_t>(records.size()));
  return file + directory + "PK\x05\x06" + std::string(4, '\0') + bytes(entries) + bytes(entries) +
         bytes<uint32_t>(directory.size()) + bytes<uint32_t>(file.size()) + std::string(2, '\0');
}

}  // namespace mobileone::testing
