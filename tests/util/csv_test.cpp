#include "mobileone/util/csv.h"

#include <gtest/gtest.h>

#include "support/error_of.h"

namespace mobileone {
namespace {

std::string parse_error(std::string_view text) {
  return error_of([&] { parse_csv(text, "x.csv"); });
}

TEST(Csv, ReadsRowsWithTheirLines) {
  const auto rows = parse_csv("a,b\n\n1,2\n", "x.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(rows[1].line, 3);
}

TEST(Csv, UnquotesFields) {
  const auto rows = parse_csv("\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\nnext", "x.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields, (std::vector<std::string>{"a,b", "say \"hi\"", "two\nlines", ""}));
  EXPECT_EQ(rows[1].line, 3);
}

TEST(Csv, AcceptsByteOrderMarkAndCarriageReturns) {
  const auto rows = parse_csv("\xef\xbb\xbfpath,label\r\nx,1\r\n", "x.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields.front(), "path");
  EXPECT_EQ(rows[1].fields.back(), "1");
}

TEST(Csv, BlanksAroundFieldsArePassedOver) {
  const auto rows = parse_csv(" a b ,\t\"c \" ,d\n", "x.csv");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].fields, (std::vector<std::string>{"a b", "c ", "d"}));
}

TEST(Csv, ReadsOtherDelimiters) {
  CsvReader reader("a\t\t b,c\n", "x.tsv", '\t');
  CsvRow row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_EQ(row.fields, (std::vector<std::string>{"a", "", "b,c"}));
  EXPECT_FALSE(reader.next(row));
}

TEST(Csv, FieldsAreBounded) {
  EXPECT_EQ(parse_error(std::string(1023, ',') + "\n"), "");
  EXPECT_EQ(parse_error(std::string(1024, ',') + "\n"), "x.csv:1: has more than 1024 fields");
  const std::string mebibyte(1 << 20, 'x');
  EXPECT_EQ(parse_error(mebibyte), "");
  EXPECT_EQ(parse_error(mebibyte + "x"), "x.csv:1: has a field of more than 1 MiB");
  EXPECT_EQ(parse_error('"' + mebibyte + "x\""), "x.csv:1: a quoted field is not closed");
}

TEST(Csv, NamesTheLineOfAnError) {
  EXPECT_EQ(parse_error("a\n\"b\nc"), "x.csv:2: a quoted field is not closed");
  EXPECT_EQ(parse_error("a\n\"b\"c"), "x.csv:2: text follows a closing quote");
}

TEST(Csv, QuotesWhatItReadsBack) {
  EXPECT_EQ(csv_field("plain"), "plain");
  for (const std::string field : {"a,b", "say \"hi\"", "two\nlines", "", " blanks\t"}) {
    EXPECT_EQ(parse_csv("x," + csv_field(field), "x.csv").at(0).fields.at(1), field);
  }
}

}  // namespace
}  // namespace mobileone
