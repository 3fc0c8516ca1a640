#include "mobileone/data/tar_reader.h"

#include "data/support.h"
#include "data/tar_bytes.h"
#include "python.h"

namespace mobileone {
namespace {

std::vector<std::pair<std::string, std::string>> members_of(const std::string& path) {
  TarReader reader(path);
  std::vector<std::pair<std::string, std::string>> members;
  while (const auto member = reader.next()) {
    members.emplace_back(member->name, reader.contents(*member, 1 << 20));
  }
  return members;
}

TEST(TarReader, ListsRegularFiles) {
  const TestFolder folder;
  const std::string large(3000, 'x');
  const std::string path = folder.write(
      "x.tar", tar_member("a.txt", "hello") + tar_member("folder/", "", '5') +
                   tar_member("empty", "") + tar_member("link", "", '2') +
                   tar_member("folder/large", large) + tar_end() + "what follows is no part of it");
  EXPECT_EQ(members_of(path), (std::vector<std::pair<std::string, std::string>>{
                                  {"a.txt", "hello"}, {"empty", ""}, {"folder/large", large}}));
}

TEST(TarReader, ReadsWhatPythonWrites) {
  if (!python_has("tarfile")) GTEST_SKIP() << "needs Python: scripts/setup.sh";
  const TestFolder folder;
  const std::string deep(120, 'd');
  for (const char* format : {"USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"}) {
    const std::string path = folder.path(std::string(format) + ".tar");
    const std::string name = deep + "/" + std::string(90, 'n') + ".jpg";
    const std::string longer = std::string(format) == "USTAR_FORMAT" ? name : deep + name + "ö";
    const std::string script = folder.write(
        "write.py",
        fmt::format("import io, tarfile\n"
                    "with tarfile.open('{}', 'w', format=tarfile.{}) as tar:\n"
                    "  for name, text in (('a', b'first'), ('{}', b'second'), ('{}', b'third')):\n"
                    "    info = tarfile.TarInfo(name)\n"
                    "    info.size, info.mtime = len(text), 1.5\n"
                    "    tar.addfile(info, io.BytesIO(text))\n",
                    path, format, name, longer));
    ASSERT_EQ(std::system(fmt::format("'{}' '{}'", kPython, script).c_str()), 0);
    EXPECT_EQ(members_of(path), (std::vector<std::pair<std::string, std::string>>{
                                    {"a", "first"}, {name, "second"}, {longer, "third"}}))
        << format;
  }
}

TEST(TarReader, LargeSizesOfBothKinds) {
  const TestFolder folder;
  std::string binary(12, '\0');
  binary[0] = '\x80';
  binary[11] = 5;
  const std::string path = folder.write(
      "x.tar", tar_member("gnu", "12345", '0', binary) + tar_member("pax", "10 size=3\n", 'x') +
                   tar_member("posix", "123", '0', "00000000777") + tar_end());
  EXPECT_EQ(members_of(path),
            (std::vector<std::pair<std::string, std::string>>{{"gnu", "12345"}, {"posix", "123"}}));
}

struct BadTar {
  const char* what;
  std::string bytes;
  std::string message;  // after the path
};

std::string with_wrong_sum() {
  std::string bytes = tar_member("a", "x") + tar_end();
  bytes[3] ^= 1;
  return bytes;
}

std::string binary_size(const std::string& bytes) { return bytes + std::string(11, '\xff'); }

std::vector<BadTar> bad_archives() {
  const std::string good = tar_member("a.jpg", "x");
  const std::string header_is_wrong =
      ": is no tar archive, or a damaged one: the header at byte 0 is wrong";
  const auto pax = [](const std::string& text) {
    return tar_member("p", text, 'x') + tar_member("a", "x") + tar_end();
  };
  const std::string pax_is_wrong =
      ": is a damaged tar archive: the pax header at byte 512 is wrong";
  return {
      {"empty", "", ": is cut off: it ends after 0 bytes, without an end mark; copy it again"},
      {"text", std::string(600, 'x'), header_is_wrong},
      {"check sum", with_wrong_sum(), header_is_wrong},
      {"no end mark", good,
       ": is cut off: it ends after 1024 bytes, without an end mark; copy it again"},
      {"too large", tar_member("a.jpg", "x", '0', "77777777777"),
       ": is cut off in `a.jpg`, or damaged: it has 1024 bytes; copy it again"},
      {"largest number",
       tar_member("a.jpg", "x", '0', std::string("\x80\0\0\0", 4) + std::string(8, '\xff')),
       ": is cut off in `a.jpg`, or damaged: it has 1024 bytes; copy it again"},
      {"larger than any", tar_member("a", "x", '0', binary_size("\x80")) + tar_end(),
       header_is_wrong},
      {"negative", tar_member("a", "x", '0', binary_size("\xff")) + tar_end(), header_is_wrong},
      {"not octal", tar_member("a", "x", '0', "0000000000z") + tar_end(), header_is_wrong},
      {"sparse", tar_member("a", "x", 'S') + tar_end(),
       ": holds a sparse file, which is not read; write it without --sparse"},
      {"sparse by pax", pax("22 GNU.sparse.major=1\n"),
       ": holds a sparse file, which is not read; write it without --sparse"},
      {"pax without length", pax("path=b\n"), pax_is_wrong},
      {"pax length too long", pax("99 path=b\n"), pax_is_wrong},
      {"pax length too short", pax("2 path=b\n"), pax_is_wrong},
      {"pax without key", pax("5 xy\n"), pax_is_wrong},
      {"pax size", pax("11 size=-1\n"), pax_is_wrong},
      {"long name cut off", tar_member("l", "", 'L', "00000000777"),
       ": is cut off in `l`, or damaged: it has 512 bytes; copy it again"},
      {"name too long", tar_member("l", std::string(70'000, 'n'), 'L') + good + tar_end(),
       ": is a damaged tar archive: a name of 70000 bytes"},
  };
}

TEST(TarReader, DamageIsNamed) {
  const TestFolder folder;
  for (const BadTar& bad : bad_archives()) {
    const std::string path = folder.write("bad.tar", bad.bytes);
    EXPECT_EQ(error_of([&] { members_of(path); }), path + bad.message) << bad.what;
  }
}

TEST(TarReader, CutOffAnywhereIsSaid) {
  const TestFolder folder;
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += tar_sample(fmt::format("{:04}", i), "image", i);
  const size_t end = bytes.size();
  bytes += tar_end();
  for (size_t percent = 0; percent < 100; ++percent) {
    const size_t length = end * percent / 100;
    const std::string path = folder.write("cut.tar", bytes.substr(0, length));
    const std::string error = error_of([&] { members_of(path); });
    EXPECT_TRUE(error.starts_with(path + ": is cut off")) << length << ": " << error;
  }
}

}  // namespace
}  // namespace mobileone
