#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

struct CsvRow {
  int64_t line;  ///< where the row begins, from 1
  std::vector<std::string> fields;
};

/// Rows of comma-separated values with quoted fields (RFC 4180); lines may end in CR LF, empty
/// lines are left out, a byte order mark is passed over. Throws Error with `name` and line.
std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name);

/// A field as `parse_csv` reads it back: quoted where it has to be.
std::string csv_field(const std::string& text);

}  // namespace mobileone
