#include "mobileone/util/csv.h"

#include <algorithm>
#include <utility>

#include "mobileone/util/error.h"

namespace mobileone {
namespace {

// What a damaged or hostile file may cost.
constexpr size_t kMostFields = 1024, kLongestField = 1 << 20;

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string name, char delimiter)
    : rest_(text), name_(std::move(name)), delimiter_(delimiter) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
}

bool CsvReader::next(CsvRow& row) {
  while (take_line_end()) {
  }
  if (rest_.empty()) return false;
  row.line = line_;
  row.fields.clear();
  do {
    if (row.fields.size() == kMostFields) {
      throw Error("{}:{}: has more than {} fields", name_, row.line, kMostFields);
    }
    pass_blanks();
    row.fields.push_back(take('"') ? parse_quoted() : parse_plain());
    if (row.fields.back().size() > kLongestField) {
      throw Error("{}:{}: has a field of more than 1 MiB", name_, row.line);
    }
  } while (take(delimiter_));
  if (!rest_.empty() && !take_line_end()) {
    throw Error("{}:{}: text follows a closing quote", name_, line_);
  }
  return true;
}

std::string CsvReader::parse_plain() {
  const char ends[] = {delimiter_, '\r', '\n'};
  const size_t length =
      std::min(rest_.find_first_of(std::string_view(ends, sizeof ends)), rest_.size());
  // Longer ones need not be copied to be refused.
  std::string field(rest_.substr(0, std::min(length, kLongestField + 1)));
  field.erase(field.find_last_not_of(" \t") + 1);
  rest_.remove_prefix(length);
  return field;
}

std::string CsvReader::parse_quoted() {
  const int64_t opened = line_;
  std::string field;
  while (!rest_.empty() && field.size() <= kLongestField) {
    // A doubled quote stands for one.
    if (take('"') && !rest_.starts_with('"')) {
      pass_blanks();
      return field;
    }
    if (rest_.front() == '\n') ++line_;
    field += rest_.front();
    rest_.remove_prefix(1);
  }
  throw Error("{}:{}: a quoted field is not closed", name_, opened);
}

bool CsvReader::take(char expected) {
  if (!rest_.starts_with(expected)) return false;
  rest_.remove_prefix(1);
  return true;
}

bool CsvReader::take_line_end() {
  const bool carriage_return = take('\r');
  const bool line_feed = take('\n');
  if (line_feed || carriage_return) ++line_;
  return line_feed || carriage_return;
}

void CsvReader::pass_blanks() {
  // A tab may be the delimiter.
  while (!rest_.starts_with(delimiter_) && (take(' ') || take('\t'))) {
  }
}

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name) {
  CsvReader reader(text, name);
  std::vector<CsvRow> rows;
  for (CsvRow row; reader.next(row);) rows.push_back(std::move(row));
  return rows;
}

std::string csv_field(const std::string& text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool has_blanks = !text.empty() && (is_blank(text.front()) || is_blank(text.back()));
  if (!has_blanks && text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

}  // namespace mobileone
