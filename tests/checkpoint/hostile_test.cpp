#include <ATen/ops/arange.h>

#include <limits>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/zip_bytes.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using testing::archive;
using testing::bytes;
using testing::make_zip;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
const std::string kProto = "\x80\x02";
const std::string kSystem = kProto + "cos\nsystem\nU\x02ls\x85R.";

std::string times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string integer(int64_t value) { return "\x8a\x08"s + bytes(value); }

/// The pickle of a storage of floats with key '0'; `extra` ends its description.
std::string floats(int64_t count, const std::string& extra = "") {
  return "(U\x07storagectorch\nFloatStorage\nU\x01"
         "0U\x03"
         "cpu" +
         integer(count) + extra + "tQ";
}

/// The pickle of a tensor of so many floats in such a storage.
std::string tensor(const std::string& storage, int64_t offset, int64_t size, int64_t stride) {
  return kProto + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) +
         integer(size) + "\x85" + integer(stride) + "\x85\x89NtR.";
}

std::string zip_tensor(int64_t offset, int64_t size, int64_t stride) {
  return archive(
      {{"data.pkl", tensor(floats(3), offset, size, stride)}, {"data/0", "twelve bytes"}});
}

std::string legacy(const std::string& object_and_storages, bool little_endian = true,
                   int version = 1001) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + pickle(version, {}) +
         pickle(Value::Dict{{"little_endian", little_endian}}, {}) + object_and_storages;
}

std::string legacy_tensor(const std::string& keys, int64_t count, const std::string& elements) {
  return legacy(tensor(floats(3, "N"), 0, 3, 1) + kProto + keys + "." + bytes(count) + elements);
}

std::string script(const std::string& pickle_bytes) {
  return archive({{"constants.pkl", "N."}, {"data.pkl", pickle_bytes}});
}

std::string safetensors(const std::string& header, size_t data_size) {
  return bytes<uint64_t>(header.size()) + header + std::string(data_size, '\0');
}

/// Each object holds the one before ten times.
std::string laughs(const std::string& first, const std::string& begin, const std::string& end) {
  std::string pickled = kProto + first + "q\x00"s;
  for (int i = 0; i < 20; ++i) pickled += begin + times(10, "h\x00"s) + end + "q\x00"s;
  return pickled + ".";
}

struct HostileFile {
  std::string name, content, message;
};

std::string refused(int byte, const std::string& why) {
  return "refused at byte " + std::to_string(byte) + " of its pickle: " + why;
}

std::vector<HostileFile> hostile_pickles() {
  const std::string outside =
      "a tensor is larger than its storage of 3 elements, or lies outside it";
  const std::string many = "it holds more than 1048576 values";
  const std::string deep = kProto + times(100'000, "]") + times(99'999, "a") + ".";
  const std::string wide = kProto + "("s + times(100'000, "K\0"s) + "tq\0"s;
  return {
      {"os.system", archive({{"data.pkl", kSystem}}),
       refused(2, "it wants to run os.system, which no weights need")},
      {"os.system in a module", script(kSystem),
       refused(2, "it wants to run os.system, which no weights need")},
      {"os.system in the older container", legacy(kSystem),
       refused(2, "it wants to run os.system, which no weights need")},
      {"deep nesting", archive({{"data.pkl", deep}}),
       refused(200'001, "it is nested more than 64 levels deep")},
      {"a list that holds itself", archive({{"data.pkl", kProto + "]q\0h\0a."s}}),
       refused(8, "it is nested more than 64 levels deep")},
      {"a module that holds itself", script(kProto + "c__torch__\nA\n)\x81q\0}U\x01xh\0sb."s),
       refused(27, "it is nested more than 64 levels deep")},
      {"a negative offset", zip_tensor(-1, 1, 1), refused(121, outside)},
      {"an offset beyond the end", zip_tensor(3, 1, 1), refused(121, outside)},
      {"a negative stride", zip_tensor(2, 2, -1), refused(121, outside)},
      {"a negative size", zip_tensor(0, -1, 1), refused(121, outside)},
      {"a size that overflows", zip_tensor(0, kLargest, 1), refused(121, outside)},
      {"a stride that overflows", zip_tensor(1, 3, kLargest), refused(121, outside)},
      {"an offset that overflows", zip_tensor(kLargest, 2, 1), refused(121, outside)},
      {"an expanded tensor", zip_tensor(0, 1 << 30, 0), refused(121, outside)},
      {"a bomb of lists", archive({{"data.pkl", laughs("]", "](", "e")}}), refused(505, many)},
      {"a bomb of texts",
       archive({{"data.pkl", kProto + "X"s + bytes(1 << 20) + times(1 << 20, "x") + "q\0]("s +
                                 times(200, "h\0"s) + "e."}}),
       refused(1048988, many)},
      {"a bomb of keys",
       archive({{"data.pkl", kProto + "X"s + bytes(1 << 20) + times(1 << 20, "x") + "q\0]("s +
                                 times(200, "}h\0Ns"s) + "e."}}),
       refused(1049588, many)},
      {"dicts of the same pairs",
       archive({{"data.pkl", kProto + "U\1xN\x86q\0("s + times(100'000, "h\0"s) + "tq\1" +
                                 times(100, "ccollections\nOrderedDict\nh\1\x85R") + "."}}),
       refused(200'331, many)},
      {"a tensor of very many dimensions",
       archive(
           {{"data.pkl", wide + "ctorch._utils\n_rebuild_tensor\n(" + floats(3) + "K\0h\0h\0tR."s},
            {"data/0", "twelve bytes"}}),
       refused(200'094, "a tensor of 100000 dimensions")},
  };
}

std::vector<HostileFile> hostile_zips() {
  const std::string record = "is damaged: record 'a/data.pkl' ";
  const std::string frozen =
      "names no weights, as after torch.jit.freeze; use the archive from before that (eval and "
      "predict can run this one: --run-code)";
  const std::string overlap = record + "overlaps others or ends beyond the file";
  const std::string huge64 =
      bytes<uint16_t>(1) + bytes<uint16_t>(16) + times(2, bytes<uint64_t>(uint64_t{1} << 63));
  return {
      {"a zip bomb", make_zip({{.method = 8, .size = 1u << 31}}),
       "record 'a/data.pkl' is compressed; torch never does that"},
      {"overlapping entries", make_zip({{}, {.name = "a/data/0", .offset = 0}}), overlap},
      {"a header that reaches into the next record",
       make_zip({{.local_extra = 38}, {.name = "a/data/0"}}), overlap},
      {"a size beyond the file", make_zip({{.stored_size = 1u << 31, .size = 1u << 31}}), overlap},
      {"a size of 63 bits", make_zip({{.stored_size = ~0u, .size = ~0u, .extra = huge64}}),
       overlap},
      {"two sizes", make_zip({{.size = 1u << 31}}), record + "has two sizes, 2147483648 and 5"},
      {"more entries than there are", make_zip({{}}, 0xfffe),
       "is cut off or damaged: 4 bytes expected at byte 56, 0 are left"},
      {"a wrong check sum", make_zip({{.crc = 1}}), record + "differs from its checksum"},
      {"a record of another size than the pickle says",
       archive({{"data.pkl", kProto + floats(kLargest / 4) + "."}, {"data/0", "1234"}}),
       refused(51,
               "record 'archive/data/0' has 4 bytes where the pickle says 9223372036854775804")},
      {"a storage of negative size", archive({{"data.pkl", kProto + floats(-1) + "."}}),
       refused(51, "a storage of -1 elements")},
      {"a storage whose bytes overflow", archive({{"data.pkl", kProto + floats(kLargest) + "."}}),
       refused(51, "a storage of 9223372036854775807 elements")},
      {"no such record", archive({{"data.pkl", kProto + floats(3) + "."}}),
       refused(51, "has no record 'archive/data/0'")},
      {"a big-endian file", archive({{"data.pkl", "N."}, {"byteorder", "big"}}),
       "was written on a big-endian machine, which is not supported"},
      {"a frozen module", script(kProto + "c__torch__\nA\n)\x81."), frozen},
      {"a module with a state of its own",
       script(kProto + "c__torch__\nA\n)\x81K\1\x85"
                       "b."),
       frozen},
  };
}

std::vector<HostileFile> hostile_others() {
  const auto entry = [](const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string huge = std::to_string(kLargest);
  const std::string unfit = " do not fit its dtype and shape";
  return {
      {"a big-endian older file", legacy(kProto + "N.", false),
       "was written on a big-endian machine, which is not supported"},
      {"another version", legacy(kProto + "N.", true, 1000),
       "has protocol version 1000, expected 1001"},
      {"a storage larger than the file", legacy(tensor(floats(1 << 28, "N"), 0, 1, 1)),
       refused(86,
               "is cut off or damaged: storage '0' of 1073741824 bytes is more than what follows")},
      {"a view outside its storage",
       legacy(kProto + floats(3, "(U\1vK\2K\2t") + "." + std::string(20, '\0')),
       refused(60, "a view lies outside its storage of 3 elements")},
      {"another length than the pickle says",
       legacy_tensor("]U\1"
                     "0a",
                     kLargest, "twelve bytes"),
       "storage '0' has 9223372036854775807 elements where the pickle says 3"},
      {"a storage that is missing", legacy_tensor("]", 3, "twelve bytes"), "has no storage '0'"},
      {"a storage given twice",
       legacy_tensor("]U\1"
                     "0aU\1"
                     "0a",
                     3, "twelve bytes"),
       "has a storage '0' that nothing refers to"},
      {"a header longer than the file", bytes<uint64_t>(kLargest) + "{}",
       "is not a safetensors file, or is cut off in its header"},
      {"a deep header", safetensors("{" + times(100'000, R"("a":{)"), 0),
       "its header is nested more than 3 levels deep"},
      {"a header without end", safetensors(R"({"a)", 0),
       "is not a safetensors file: its header is no JSON at byte 4"},
      {"a shape that overflows", safetensors(entry("[" + huge + ",4]", "[0,16]"), 16),
       "tensor 'a': its data, bytes 0 to 16," + unfit},
      {"data beyond the end", safetensors(entry("[4]", "[0,16]"), 8),
       "is cut off or damaged: 16 bytes of tensors expected, 8 there"},
      {"data before the beginning", safetensors(entry("[4]", "[-16,0]"), 16),
       "tensor 'a': a size was expected, not this number"},
      {"very much data", safetensors(entry("[1]", "[0," + huge + "]"), 4),
       "tensor 'a': its data, bytes 0 to " + huge + "," + unfit},
  };
}

/// The error of reading such a file without the file's name, which it must begin with.
class HostileFiles : public testing::FilesTest {
 protected:
  std::string error(std::string_view content) const {
    const fs::path path = write("weights", content);
    const std::string message = error_of([&] { read_weights_file(path); });
    EXPECT_TRUE(message.empty() || message.starts_with(path.string() + ": ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.empty() ? message : message.substr(path.string().size() + 2);
  }

  /// A small file of each container.
  std::vector<std::string> good_files() const {
    const std::string element =
        "ctorch._utils\n_rebuild_tensor_v2\n(" + floats(3) + "K\0K\3\x85K\1\x85\x89NtR"s;
    return {read_file(testing::golden("tiny_k1_se.pth")),
            read_file(testing::golden("tiny_k1_se.safetensors")),
            legacy_tensor("]U\1"
                          "0a",
                          3, "twelve bytes"),
            archive({{"constants.pkl", "N."},
                     {"data.pkl", kProto + "c__torch__\nA\n)\x81}U\1w" + element + "sb."},
                     {"data/0", "twelve bytes"}})};
  }
};

TEST_F(HostileFiles, AreRefusedByAClearLine) {
  for (const auto& table : {hostile_pickles(), hostile_zips(), hostile_others()}) {
    for (const HostileFile& file : table) EXPECT_EQ(error(file.content), file.message) << file.name;
  }
}

TEST_F(HostileFiles, AreRefusedCutAnywhere) {
  for (const std::string& good : good_files()) {
    EXPECT_EQ(error(good), "");
    for (size_t percent = 0; percent < 100; ++percent) {
      EXPECT_NE(error(std::string_view(good).substr(0, good.size() * percent / 100)), "")
          << percent << " % of " << good.size() << " bytes";
    }
  }
}

TEST_F(HostileFiles, SurviveFlips) {
  Random random(1);
  for (const std::string& good : good_files()) {
    int refused_files = 0;
    for (int i = 0; i < 300; ++i) {
      std::string bad = good;
      bad[random.integer(bad.size())] ^= static_cast<char>(1 << random.integer(8));
      refused_files += !error(bad).empty();
    }
    // Padding and dates may be anything, and only torch's zip files have check sums.
    EXPECT_GT(refused_files, 0);
  }
}

}  // namespace
}  // namespace mobileone
