#include "mobileone/data/csv.h"

#include "data/support.h"

namespace mobileone {
namespace {

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

TEST(Csv, NamesTheLineOfAnError) {
  EXPECT_EQ(error_of([] { parse_csv("a\n\"b\nc", "x.csv"); }),
            "x.csv:2: a quoted field is not closed");
  EXPECT_EQ(error_of([] { parse_csv("a\n\"b\"c", "x.csv"); }),
            "x.csv:2: text follows a closing quote");
}

}  // namespace
}  // namespace mobileone
