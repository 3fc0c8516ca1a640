#include "mobileone/util/csv.h"

#include <algorithm>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : rest_(text), name_(name) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  std::vector<CsvRow> parse() {
    std::vector<CsvRow> rows;
    while (!rest_.empty()) {
      if (!take_line_end()) rows.push_back(parse_row());
    }
    return rows;
  }

 private:
  CsvRow parse_row() {
    CsvRow row{line_, {}};
    do {
      row.fields.push_back(take('"') ? parse_quoted() : parse_plain());
    } while (take(','));
    if (!rest_.empty() && !take_line_end()) {
      throw Error("{}:{}: text follows a closing quote", name_, line_);
    }
    return row;
  }

  std::string parse_plain() {
    const size_t length = std::min(rest_.find_first_of(",\r\n"), rest_.size());
    std::string field(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return field;
  }

  std::string parse_quoted() {
    const int64_t opened = line_;
    std::string field;
    while (!rest_.empty()) {
      // A doubled quote stands for one.
      if (take('"') && !rest_.starts_with('"')) return field;
      if (rest_.front() == '\n') ++line_;
      field += rest_.front();
      rest_.remove_prefix(1);
    }
    throw Error("{}:{}: a quoted field is not closed", name_, opened);
  }

  bool take(char expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take_line_end() {
    const bool carriage_return = take('\r');
    const bool line_feed = take('\n');
    if (line_feed || carriage_return) ++line_;
    return line_feed || carriage_return;
  }

  std::string_view rest_;
  const std::string& name_;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name) {
  return Parser(text, name).parse();
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

}  // namespace mobileone
