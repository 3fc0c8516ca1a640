#include "mobileone/checkpoint/zip_reader.h"

#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/zip_bytes.h"

namespace mobileone {
namespace {

using namespace std::string_literals;
using testing::bytes;
using testing::make_zip;

class ZipReaderTest : public testing::FilesTest {
 protected:
  std::string read(const std::string& zip, const std::string& name = "a/data.pkl") const {
    return ZipReader(write("x.zip", zip)).read(name);
  }
  std::string error(const std::string& zip) const {
    return error_of([&] { read(zip); });
  }
};

TEST_F(ZipReaderTest, ReadsRecordsInTheirOrder) {
  const auto path =
      write("x.zip", make_zip({{}, {.name = "a/b", .data = "", .stored_size = 0, .size = 0}}));
  ZipReader zip(path);
  EXPECT_EQ(zip.names(), (std::vector<std::string>{"a/data.pkl", "a/b"}));
  EXPECT_EQ(zip.size("a/data.pkl"), 5u);
  EXPECT_EQ(zip.read("a/data.pkl"), "hello");
  EXPECT_EQ(zip.read("a/b"), "");
  EXPECT_FALSE(zip.contains("b"));
  EXPECT_EQ(error_of([&] { zip.read("b"); }), "has no record 'b'");
}

TEST_F(ZipReaderTest, ChecksTheChecksum) {
  EXPECT_EQ(read(make_zip({{.crc = 0x3610a686}})), "hello");
  EXPECT_EQ(error(make_zip({{.crc = 0x3610a687}})),
            "is damaged: record 'a/data.pkl' differs from its checksum");
}

TEST_F(ZipReaderTest, ReadsSizesOf64Bits) {
  const std::string extra = bytes<uint16_t>(7) + bytes<uint16_t>(1) + "x" + bytes<uint16_t>(1) +
                            bytes<uint16_t>(16) + bytes<uint64_t>(5) + bytes<uint64_t>(5);
  EXPECT_EQ(read(make_zip({{.stored_size = ~0u, .size = ~0u, .extra = extra}})), "hello");
  EXPECT_NE(error(make_zip({{.stored_size = ~0u, .size = ~0u}})).find("beyond the file"),
            std::string::npos);
  EXPECT_NE(error(make_zip({{.stored_size = ~0u, .size = ~0u, .extra = extra.substr(0, 20)}})), "");
}

TEST_F(ZipReaderTest, RefusesLies) {
  EXPECT_EQ(error(make_zip({{.size = 1u << 31}})),
            "is damaged: record 'a/data.pkl' has two sizes, 2147483648 and 5");
  EXPECT_EQ(error(make_zip({{.method = 8, .size = 1u << 31}})),
            "record 'a/data.pkl' is compressed; torch never does that");
  EXPECT_EQ(error(make_zip({{.stored_size = 1000, .size = 1000}})),
            "is damaged: record 'a/data.pkl' overlaps others or ends beyond the file");
  EXPECT_EQ(error(make_zip({{.offset = 1u << 30}})),
            "is damaged: record 'a/data.pkl' overlaps others or ends beyond the file");
  EXPECT_EQ(error(make_zip({{}, {.name = "b", .offset = 0}})).substr(0, 20),
            "is damaged: record '");
  EXPECT_EQ(error(make_zip({{.local_extra = 6}, {.name = "b"}})),
            "is damaged: record 'a/data.pkl' overlaps others or ends beyond the file");
  EXPECT_EQ(error(make_zip({{}, {}})), "has two records 'a/data.pkl'");
  EXPECT_EQ(error(make_zip({{.offset = 2}})),
            "is damaged: no header of a record where one should be");
  EXPECT_NE(error(make_zip({{}}, 2)).find("is cut off or damaged"), std::string::npos);
}

TEST_F(ZipReaderTest, RefusesADamagedEnd) {
  const std::string good = make_zip({{}});
  EXPECT_EQ(error(good + "x"), "is damaged: something follows the end of the zip file");
  EXPECT_EQ(error(make_zip({{}}, 0xffff)), "is damaged: no zip64 locator where one should be");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(error(good.substr(0, size)),
              "is cut off or damaged: it does not end as a zip file does");
  }
}

}  // namespace
}  // namespace mobileone
