#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

struct CsvRow {
  int64_t line = 0;  ///< where the row begins, from 1
  std::vector<std::string> fields;
};

/// Rows of delimited values with quoted fields (RFC 4180), one after the other. Lines may end in
/// CR LF; empty ones are left out; a byte order mark, and blanks around a field, are passed over. A
/// row has at most 1,024 fields of at most 1 MiB.
class CsvReader {
 public:
  /// `text` must stay as long as this; `name` stands for it in messages.
  CsvReader(std::string_view text, std::string name, char delimiter = ',');

  /// Whether there is a further row, which `row` then is. Throws Error with name and line.
  bool next(CsvRow& row);

 private:
  std::string parse_plain();
  std::string parse_quoted();
  bool take(char expected);
  bool take_line_end();
  void pass_blanks();

  std::string_view rest_;
  std::string name_;
  char delimiter_;
  int64_t line_ = 1;
};

/// All rows of comma-separated values.
std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name);

/// A field as `parse_csv` reads it back: quoted where it has to be.
std::string csv_field(const std::string& text);

}  // namespace mobileone
