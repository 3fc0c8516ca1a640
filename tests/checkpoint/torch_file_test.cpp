#include "mobileone/checkpoint/torch_file.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/jit/api/module.h>

#include <cstdlib>
#include <vector>

#include "checkpoint/files.h"
#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/weights_file.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"
#include "support/python.h"

namespace mobileone {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using testing::archive;
using testing::fingerprint;
using testing::golden;

class TorchFileTest : public testing::FilesTest {
 protected:
  /// The error of reading these bytes, which must begin with the file's name and be one line.
  std::string error(std::string_view bytes) const {
    const fs::path path = write("x.pth", bytes);
    const std::string message = error_of([&] { read_torch_file(path); });
    EXPECT_TRUE(message.empty() || message.starts_with(path.string() + ": ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.empty() ? message : message.substr(path.string().size() + 2);
  }
};

Value example() {
  const at::Tensor base = at::arange(12, at::kFloat);
  Value::Dict dtypes;
  for (const auto& [name, dtype] :
       std::vector<std::pair<std::string, at::ScalarType>>{{"float64", at::kDouble},
                                                           {"float32", at::kFloat},
                                                           {"float16", at::kHalf},
                                                           {"bfloat16", at::kBFloat16},
                                                           {"int64", at::kLong},
                                                           {"int32", at::kInt},
                                                           {"int16", at::kShort},
                                                           {"int8", at::kChar},
                                                           {"uint8", at::kByte},
                                                           {"bool", at::kBool}}) {
    dtypes.insert(name, Value(at::tensor({0, 1, 1}).to(dtype)));
  }
  return Value::Dict{{"step", 7},
                     {"big", -(int64_t{1} << 40)},
                     {"rate", 0.1},
                     {"done", true},
                     {"nothing", Value()},
                     {"names", Value::List{"größe", Value::List{}, Value::Dict{}}},
                     {"state_dict", Value::Dict{{"weight", at::arange(6, at::kFloat).view({2, 3})},
                                                {"bias", at::arange(2, at::kFloat)}}},
                     {"shared", Value::List{base, base.slice(0, 3, 6), base.view({3, 4}).t()}},
                     {"dtypes", dtypes}};
}

/// Whether tests/python/torch_file_peer.py did its part.
bool run_python(const std::string& part, const fs::path& folder) {
  const fs::path root = MOBILEONE_SOURCE_DIR;
  const auto command =
      fmt::format("'{}' '{}' {} '{}'", kPython, (root / "tests/python/torch_file_peer.py").string(),
                  part, folder.string());
  return std::system(command.c_str()) == 0;
}

TEST_F(TorchFileTest, RoundTrips) {
  write_torch_file(folder_ / "x.pth", example());
  const Value read = read_torch_file(folder_ / "x.pth");
  EXPECT_EQ(fingerprint(read), fingerprint(example()));
  const Value shared = read.at("shared");
  EXPECT_TRUE(shared.at(0).as_tensor().is_alias_of(shared.at(2).as_tensor()));
  EXPECT_EQ(shared.at(2).as_tensor().strides(), at::IntArrayRef({1, 4}));
}

TEST_F(TorchFileTest, WritesTheSameBytesForTheSameValue) {
  write_torch_file(folder_ / "a.pth", example());
  write_torch_file(folder_ / "b.pth", example());
  EXPECT_EQ(read_file(folder_ / "a.pth"), read_file(folder_ / "b.pth"));
}

TEST_F(TorchFileTest, WritesASharedStorageOnce) {
  const at::Tensor large = at::randn({100'000});
  write_torch_file(folder_ / "x.pth", Value::List{large, large.slice(0, 5), large.view({100, -1})});
  EXPECT_LT(fs::file_size(folder_ / "x.pth"), 410'000u);
}

TEST_F(TorchFileTest, KeepsAStorageSeenAsTwoDtypes) {
  const at::Tensor bytes = at::arange(10).to(at::kByte);
  write_torch_file(folder_ / "x.pth", Value::List{bytes, bytes.slice(0, 0, 8).view(at::kInt)});
  const Value read = read_torch_file(folder_ / "x.pth");
  EXPECT_TRUE(read.at(0).as_tensor().equal(bytes));
  EXPECT_TRUE(read.at(1).as_tensor().equal(bytes.slice(0, 0, 8).view(at::kInt)));
}

TEST_F(TorchFileTest, EqualsTheSafetensorsOfTheSameNet) {
  const auto expected = read_safetensors(golden("tiny_k1_se.safetensors"));
  const auto tensors = read_torch_file(golden("tiny_k1_se.pth")).as_tensors();
  ASSERT_EQ(tensors.size(), expected.size());
  for (const auto& item : expected) {
    EXPECT_TRUE(tensors[item.key()].equal(item.value())) << item.key();
  }
}

TEST_F(TorchFileTest, ReadsApplesWeights) {
  const fs::path path =
      fs::path(MOBILEONE_SOURCE_DIR) / "../shared/weights/mobileone_s0_fused.pth.tar";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
  const Value value = read_torch_file(path);
  const auto state = value.find("state_dict").value_or(value).as_tensors();
  EXPECT_EQ(state.size(), 88u);
  EXPECT_EQ(state["linear.weight"].sizes(), at::IntArrayRef({1000, 1024}));
}

TEST_F(TorchFileTest, NamesWhatIsNoTorchFile) {
  EXPECT_EQ(error_of([&] { read_torch_file(folder_ / "none.pth"); }),
            (folder_ / "none.pth").string() + ": no such torch file");
  EXPECT_EQ(error_of([&] { read_torch_file(folder_); }),
            folder_.string() + ": is a folder, expected a torch file");
  EXPECT_EQ(error(""), "is empty, expected a torch file");
  const std::string expected =
      ", expected weights as torch.save or safetensors writes them, or TorchScript";
  for (const auto& [bytes, kind] : std::vector<std::pair<std::string, std::string>>{
           {"hello", "text that begins with `hello`"},
           {"\x08\x08\x12\x07pytorch", "an ONNX network"},
           {"\x1c\0\0\0TFL3"s, "a TensorFlow Lite network"},
           {"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes it"},
           {"<!DOCTYPE html><html>", "an HTML page"},
           {"\xff\xd8\xff\xe0", "a JPEG image"},
           {"\x80\5\x95\1\0\0"s, "a Python pickle"},
           {"version https://git-lfs.github.com/spec/v1\n",
            "a pointer of Git LFS, whose file was not fetched"},
           {"\x08\5\x12\x24\x0a\x10"s, "a file of no known kind"}}) {
    EXPECT_EQ(error(bytes), "is " + kind + expected);
  }
}

TEST_F(TorchFileTest, TellsTorchScriptApart) {
  torch::jit::Module module("net");
  module.define("def forward(self, x):\n  return x\n");
  module.save((folder_ / "script.pt").string());
  EXPECT_TRUE(is_torchscript_file(folder_ / "script.pt"));
  EXPECT_FALSE(is_torchscript_file(golden("tiny_k1_se.pth")));
  EXPECT_FALSE(is_torchscript_file(golden("tiny_k1_se.safetensors")));
  EXPECT_EQ(error(read_file(folder_ / "script.pt")),
            "is a TorchScript archive, expected a file of weights");
}

TEST_F(TorchFileTest, RefusesForeignRecords) {
  const std::string system =
      "\x80\x02"
      "cposix\nsystem\nX\x02\0\0\0ls\x85R."s;
  const std::string floats =
      "\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\n"
      "X\x01\0\0\0"
      "0X\x03\0\0\0cpuK\x03tQ."s;
  EXPECT_EQ(error(archive({{"readme", "hello"}})), "is a zip file but no torch file: no data.pkl");
  EXPECT_EQ(error(archive({{"data.pkl", "N."}, {"byteorder", "big"}})),
            "was written on a big-endian machine, which is not supported");
  EXPECT_EQ(error(archive({{"data.pkl", system}})),
            "refused at byte 2 of its pickle: it wants to run posix.system, which no weights need");
  EXPECT_EQ(error(archive({{"data.pkl", floats}})),
            "refused at byte 52 of its pickle: has no record 'archive/data/0'");
  EXPECT_EQ(
      error(archive({{"data.pkl", floats}, {"data/0", "1234"}})),
      "refused at byte 52 of its pickle: record 'archive/data/0' has 4 bytes where the pickle "
      "says 12");
}

/// What tests/python/torch_file_peer.py wrote.
void check_python_file(const fs::path& path) {
  const Value value = read_torch_file(path);
  EXPECT_EQ(value.at("state_dict").as_tensors().size(), 7u);
  EXPECT_EQ(value.at("parameter").as_tensor().sizes(), at::IntArrayRef({2}));
  const Value optimizer = value.at("optimizer");
  EXPECT_EQ(optimizer.at("state").at("3").at("momentum_buffer").as_tensor().numel(), 4);
  EXPECT_EQ(optimizer.at("param_groups").at(0).at("lr").as_double(), 0.1);
  EXPECT_EQ(value.at("nested").at(1).at(1).at(2).as_string(), "größe");
  EXPECT_EQ(value.at("nested").at(3).as_int(), -(int64_t{1} << 40));
  EXPECT_EQ(value.at("size").at(0).as_int(), 4);
  EXPECT_EQ(value.at("dtypes").as_list().size(), 13u);
  for (const Value& tensor : value.at("dtypes").as_list()) {
    EXPECT_TRUE(tensor.as_tensor().to(at::kLong).equal(
        at::arange(3).clamp_max(tensor.as_tensor().scalar_type() == at::kBool ? 1 : 2)));
  }
  const at::Tensor base = at::arange(12, at::kFloat), shared = value.at("shared").at(0).as_tensor();
  EXPECT_TRUE(value.at("shared").at(1).as_tensor().equal(base.slice(0, 3, 6)));
  EXPECT_TRUE(value.at("shared").at(2).as_tensor().equal(base.view({3, 4}).t()));
  EXPECT_EQ(value.at("shared").at(2).as_tensor().strides(), at::IntArrayRef({1, 4}));
  EXPECT_TRUE(shared.is_alias_of(value.at("shared").at(2).as_tensor()));
  EXPECT_TRUE(value.at("shared").at(3).as_tensor().equal(base.slice(0, 0, 12, 3).to(at::kHalf)));
  EXPECT_EQ(value.at("shared").at(3).as_tensor().stride(0), 3);
  EXPECT_EQ(value.at("scalar").as_tensor().item<int64_t>(), 3);
  EXPECT_EQ(value.at("empty").as_tensor().sizes(), at::IntArrayRef({0, 5}));
  EXPECT_TRUE(value.at("tagged").as_tensor().equal(base.slice(0, 0, 2)));
  EXPECT_EQ(value.at("set").as_list().size(), 2u);
  EXPECT_EQ(value.at("counter").at("30").as_int(), 2);
  EXPECT_EQ(value.at("bytes").at(0).as_string(), "ab\xff");
  EXPECT_EQ(value.at("bytes").at(1).as_string(), "c");
  EXPECT_EQ(value.at("dtype").as_string(), "torch.float16");
  EXPECT_EQ(value.at("device").as_string(), "cuda:1");
}

TEST_F(TorchFileTest, ReadsWhatPythonWrites) {
  if (!python_has("torch")) GTEST_SKIP() << "no Python in .deps/venv";
  ASSERT_TRUE(run_python("write", folder_));
  for (const char* container : {"zip.pth", "legacy.pth"}) {
    SCOPED_TRACE(container);
    check_python_file(folder_ / container);
  }
}

TEST_F(TorchFileTest, ReadsPastWhatTrainingLeavesBesideWeights) {
  if (!python_has("torch, numpy")) GTEST_SKIP() << "no Python in .deps/venv";
  ASSERT_TRUE(run_python("write", folder_));
  for (const char* name : {"odd.pth", "odd_legacy.pth", "odd_protocol5.pth"}) {
    SCOPED_TRACE(name);
    const Value value = read_torch_file(folder_ / name);
    EXPECT_TRUE(value.at("last").as_tensor().equal(at::arange(5, at::kFloat)));
    EXPECT_TRUE(value.at("complex").as_tensor().equal(at::arange(3).to(at::kComplexFloat)));
    EXPECT_EQ(value.at("counts").at("a").as_int(), 2);
    EXPECT_EQ(value.at("ordered").at("b").as_int(), 3);
    EXPECT_EQ(value.at("args").description(), "an object made by argparse.Namespace");
    EXPECT_EQ(value.at("huge").description(), "an integer of more than 64 bits");
    for (const char* key : {"path", "when", "scalar", "array", "mode", "config", "history",
                            "sparse", "quantized", "keys", "class", "dtype"}) {
      EXPECT_EQ(value.at(key).kind(), Value::Kind::kPlaceholder) << key;
    }
    const auto expected = value.at("state").as_tensors(), whole = value.at("module").as_tensors();
    ASSERT_EQ(whole.keys(), expected.keys());
    for (const auto& item : expected) EXPECT_TRUE(whole[item.key()].equal(item.value()));
  }
}

TEST_F(TorchFileTest, ChecksTheSumsOfAllRecords) {
  torch::jit::Module module("net");
  module.register_parameter("weight", at::arange(100, at::kFloat), /*is_buffer=*/false);
  std::string code = "def forward(self, x):\n";
  for (int i = 0; i < 50; ++i) code += "  x = x + self.weight\n";  // so long that it is compressed
  module.define(code + "  return x\n");
  module.save((folder_ / "script.pt").string(), {{"note", "hello"}});
  check_sums(folder_ / "script.pt");
  EXPECT_EQ(read_torchscript_extra_files(folder_ / "script.pt"),
            (std::map<std::string, std::string>{{"note", "hello"}}));
  const std::string good = read_file(folder_ / "script.pt");
  for (const std::string record :
       {"script/code/__torch__.py", "script/data/0", "script/extra/note"}) {
    std::string bad = good;
    const size_t name = bad.find(record);
    ASSERT_NE(name, std::string::npos) << record;
    const size_t padding = little_endian(bad, name - 2, 2);  // ends a local header of zip
    bad[name + record.size() + padding + 4] ^= 1;
    const auto path = write("bad.pt", bad);
    EXPECT_NE(error_of([&] { check_sums(path); }).find("is damaged: "), std::string::npos)
        << record;
  }
}

TEST_F(TorchFileTest, ReadsTorchScriptAsAStateDict) {
  if (!python_has("torch")) GTEST_SKIP() << "no Python in .deps/venv";
  ASSERT_TRUE(run_python("write", folder_));
  const auto expected = read_weights_file(folder_ / "state.pth").as_tensors();
  for (const char* name : {"scripted.pt", "traced.pt"}) {
    const auto tensors = read_weights_file(folder_ / name).as_tensors();
    ASSERT_EQ(tensors.keys(), expected.keys()) << name;
    for (const auto& item : expected) {
      EXPECT_TRUE(tensors[item.key()].equal(item.value())) << item.key();
      EXPECT_EQ(tensors[item.key()].scalar_type(), item.value().scalar_type()) << item.key();
    }
  }
  EXPECT_EQ(error_of([&] { read_weights_file(folder_ / "frozen.pt"); }),
            (folder_ / "frozen.pt").string() +
                ": names no weights, as after torch.jit.freeze; use the archive from before that "
                "(eval and predict can run this one: --run-code)");
}

TEST_F(TorchFileTest, PythonReadsWhatWeWrite) {
  if (!python_has("torch")) GTEST_SKIP() << "no Python in .deps/venv";
  write_torch_file(folder_ / "cpp.pth", example());
  EXPECT_TRUE(run_python("check", folder_));
}

TEST_F(TorchFileTest, ErrorsFromInsideNameFileAndWay) {
  write_torch_file(folder_ / "x.pth", example());
  EXPECT_EQ(
      error_of([&] { read_torch_file(folder_ / "x.pth").at("state_dict").at("gamma"); }),
      (folder_ / "x.pth").string() + " > state_dict: has no key 'gamma'; it has 'weight', 'bias'");
}

TEST_F(TorchFileTest, LeavesNothingBehindWhenItCannotWrite) {
  const Value value = Value::List{at::randn({2}).to(at::kComplexFloat)};
  EXPECT_EQ(error_of([&] { write_torch_file(folder_ / "x.pth", value); }),
            (folder_ / "x.pth").string() +
                ": a tensor of type CPUComplexFloatType cannot be written to a torch file");
  EXPECT_TRUE(fs::is_empty(folder_));
  if (fs::exists("/dev/full")) {
    fs::create_symlink("/dev/full", folder_ / ("x.pth." + std::to_string(::getpid()) + ".tmp"));
    EXPECT_EQ(error_of([&] { write_torch_file(folder_ / "x.pth", example()); }),
              (folder_ / "x.pth").string() + ": cannot be written: No space left on device");
    EXPECT_TRUE(fs::is_empty(folder_));
  }
}

TEST_F(TorchFileTest, NeverMistakesADamagedFile) {
  write_torch_file(folder_ / "good.pth", Value::Dict{{"w", at::arange(5)}, {"step", 1}});
  const std::string good = read_file(folder_ / "good.pth");
  const std::string expected = fingerprint(read_torch_file(folder_ / "good.pth"));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(~bad[i]);
    // Padding and dates may be anything.
    if (error(bad).empty()) {
      EXPECT_EQ(fingerprint(read_torch_file(folder_ / "x.pth")), expected) << "byte " << i;
    }
  }
}

}  // namespace
}  // namespace mobileone
