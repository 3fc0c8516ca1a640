#include "mobileone/checkpoint/pickle.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <vector>

#include "checkpoint/files.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

using namespace std::string_literals;
using testing::error_of;

/// Storages of zeros, as many as asked for up to a megabyte.
at::Storage zeros(const std::string& key, int64_t count, int64_t element) {
  if (count * element > 1 << 20) throw Error("storage {} is not that large", key);
  return at::zeros({count * element}, at::kByte).storage();
}

Value load(const std::string& pickled) { return unpickle(pickled, zeros); }

const std::string kProtocol = "\x80\x02";
const std::string kRebuild = "ctorch._utils\n_rebuild_tensor_v2\n";

std::string number(int64_t value) {
  return "\x8a\x08"s + std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string tuple(const std::vector<int64_t>& values) {
  std::string pickled = "(";
  for (int64_t value : values) pickled += number(value);
  return pickled + "t";
}

std::string storage(int64_t count, const std::string& type = "FloatStorage") {
  return "(U\x07storagectorch\n" + type +
         "\nU\x01"
         "0U\x03"
         "cpu" +
         number(count) + "tQ";
}

/// The pickle of a float tensor in a storage of 12 elements.
std::string tensor(int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides) {
  return kProtocol + kRebuild + "(" + storage(12) + number(offset) + tuple(sizes) + tuple(strides) +
         "\x89NtR.";
}

TEST(Pickle, RoundTripsPlainValues) {
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{255}, int64_t{1} << 31,
                              std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(load(pickle(value, {})).as_int(), value);
  }
  EXPECT_EQ(load(pickle(-0.1, {})).as_double(), -0.1);
  EXPECT_FALSE(load(pickle(false, {})).as_bool());
  EXPECT_TRUE(load(pickle(Value(), {})).is_none());
  const Value value = Value::Dict{{"größe", Value::List{1, Value::List{}, Value::Dict{}}}};
  EXPECT_EQ(pickle(load(pickle(value, {})), {}), pickle(value, {}));
}

TEST(Pickle, ReadsWhatPythonWrites) {
  // {1: (2, 3), 'a': [True, 4.0]} at protocol 2, with memo.
  const Value value = load(
      "\x80\x02}q\x00(K\x01K\x02K\x03\x86q\x01X\x01\x00\x00\x00"
      "aq\x02]q\x03(\x88G@\x10\x00\x00\x00\x00\x00\x00"
      "eu."s);
  EXPECT_EQ(value.at("1").at(1).as_int(), 3);
  EXPECT_EQ(value.at("a").at(1).as_double(), 4.0);
}

TEST(Pickle, DropsAttributesOfAnOrderedDict) {
  const Value value = load(kProtocol +
                           "ccollections\nOrderedDict\n)Rq\x01(U\x01"
                           "aK\x01u}U\x09"
                           "_metadataK\x01sb.");
  EXPECT_EQ(value.as_dict().size(), 1u);
}

TEST(Pickle, ViewsTensors) {
  const Value value = load(tensor(1, {2, 3}, {5, 1}));
  EXPECT_EQ(value.as_tensor().sizes(), at::IntArrayRef({2, 3}));
  EXPECT_EQ(value.as_tensor().strides(), at::IntArrayRef({5, 1}));
  EXPECT_EQ(load(tensor(12, {0}, {1})).as_tensor().numel(), 0);
  EXPECT_EQ(load(tensor(11, {}, {})).as_tensor().numel(), 1);
}

TEST(Pickle, WritesExpandedTensorsInFull) {
  const at::Tensor expanded = at::arange(3, at::kFloat).reshape({3, 1}).expand({3, 4});
  uint64_t stored = 0;
  const std::string pickled = pickle(expanded, [&](const at::Storage& kept, at::ScalarType) {
    stored = kept.nbytes();
    return "0";
  });
  EXPECT_EQ(stored, 48u);
  EXPECT_EQ(load(pickled).as_tensor().sizes(), expanded.sizes());
}

TEST(Pickle, RefusesTensorsThatTorchHasNoStorageFor) {
  EXPECT_EQ(error_of([] { pickle(at::zeros({1}, at::kComplexFloat), {}); }),
            "a tensor of type CPUComplexFloatType cannot be written to a torch file");
  EXPECT_NE(error_of([] { pickle(at::zeros({1}).to_sparse(), {}); }), "");
  EXPECT_NE(error_of([] { pickle(at::Tensor(), {}); }), "");
}

TEST(Pickle, RefusesTensorsOutsideTheirStorage) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  for (const std::string& pickled :
       {tensor(-1, {1}, {1}), tensor(12, {1}, {1}), tensor(0, {13}, {1}), tensor(0, {-1}, {1}),
        tensor(0, {4}, {-1}), tensor(0, {3, 3}, {5, 2}), tensor(0, {2}, {1, 1}),
        tensor(0, {1000}, {0}), tensor(0, {kHuge}, {1}), tensor(0, {2, 2}, {kHuge, kHuge}),
        tensor(0, {kHuge, kHuge, 0}, {1, 1, 1}), tensor(kHuge, {2}, {kHuge}),
        tensor(13, {0}, {1})}) {
    EXPECT_NE(error_of([&] { load(pickled); }).find("larger than its storage of 12 elements"),
              std::string::npos);
  }
}

struct Hostile {
  std::string pickled;
  std::string message;
};

TEST(Pickle, RefusesWhatNoWeightsNeed) {
  const std::string huge = number(std::numeric_limits<int64_t>::max());
  const std::vector<Hostile> table = {
      {"cposix\nsystem\nU\x02ls\x85R.", "it wants to run posix.system, which no weights need"},
      {"cos\nsystem\nU\x02ls\x85R.", "it wants to run os.system, which no weights need"},
      {"c__builtin__\neval\nU\x01"
       "1\x85R.",
       "it wants to run builtins.eval"},
      {"ctorch._utils\n_rebuild_sparse_tensor\n.",
       "it holds a sparse tensor (torch._utils._rebuild_sparse_tensor), which cannot be read"},
      {"c__torch__.Net\nBlock\n.", "it wants to run __torch__.Net.Block"},
      {"cevil\x1b[31m\nname\n.", "it wants to run evil?[31m.name"},
      {fmt::format("c{:x>1000}\ny\n.", ""), std::string(80, 'x') + ".y"},
      {"cos", "no line ends after byte 3"},
      {"i", "opcode 0x69, which weights do not need"},
      {"\x93", "opcode 0x93"},
      {"", "1 bytes expected at byte 2, 0 are left"},
      {".", "its stack is empty"},
      {"K", "1 bytes expected"},
      {"X\xff\xff\xff\xff"
       "a.",
       "4294967295 bytes expected at byte 7, 2 are left"},
      {"\x8a\x09"
       "123456789.",
       "an integer has more than 64 bits"},
      {"h\x05.", "it recalls object 5, which was never stored"},
      {"q\x05.", "its stack is empty"},
      {"K\x01(\x85.", "its stack is empty"},
      {"t.", "no mark is set"},
      {"}K\x01"
       "a.",
       "a list to append to was expected"},
      {")K\x01"
       "a.",
       "a list to append to was expected"},
      {"](K\x01K\x02u.", "a dict to fill was expected"},
      {"}(K\x01u.", "a key without a value"},
      {"}NK\x01s.", "a dict's key is neither text nor an integer"},
      {"}K\x01K\x01sU\x01"
       "1K\x01s.",
       "a dict has the key '1' twice"},
      {"]K\x01"
       "b.",
       "a dict to give attributes to was expected"},
      {"K\x01)R.", "a function to call was expected"},
      {"ctorch\nFloatStorage\n)R.", "a function to call was expected"},
      {"ctorch\nSize\nK\x01\x85R.", "a list or a tuple was expected"},
      {"ctorch._utils\n_rebuild_parameter\n)R.", "a call with 0 arguments, expected 1 to 4"},
      {"ctorch\nSize\n.", "a function stands where a value belongs"},
      {"ctorch\nFloatStorage\n.", "a storage type stands where a value belongs"},
      {storage(1) + ".", "a storage stands where a value belongs"},
      {storage(-1) + ".", "a storage of -1 elements"},
      {storage(std::numeric_limits<int64_t>::max()) + ".", "a storage of 9223372036854775807"},
      {storage(1 << 30) + ".", "storage 0 is not that large"},
      {"K\x01Q.", "a storage's description was expected"},
      {")Q.", "a storage's description was expected"},
      {kRebuild + ")R.", "a call with 0 arguments, expected 6 to 7"},
      {"]q\x01h\x01"
       "a.",
       "nested more than 64 levels deep"},
  };
  for (const Hostile& hostile : table) {
    const std::string message = error_of([&] { load(kProtocol + hostile.pickled); });
    EXPECT_NE(message.find(hostile.message), std::string::npos) << message;
    EXPECT_EQ(message.rfind("refused at byte ", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_EQ(error_of([] { load("\x80\x09."); }),
            "refused at byte 0 of its pickle: protocol 9, expected 2 to 5");
}

TEST(Pickle, BoundsDepthAndSize) {
  std::string deep = kProtocol;
  for (int i = 0; i < 1'000'000; ++i) deep += "]";
  for (int i = 1; i < 1'000'000; ++i) deep += "a";
  EXPECT_NE(error_of([&] { load(deep + "."); }).find("more than 64 levels"), std::string::npos);

  EXPECT_NE(error_of([] {
              load(kProtocol + std::string(2'000'000, 'N') + ".");
            }).find("more than 1048576 values"),
            std::string::npos);

  // Each list holds the last one ten times: ten to the twentieth values in 700 bytes.
  std::string laughs = kProtocol + "]q\x00"s;
  for (int i = 0; i < 20; ++i) {
    laughs += "](";
    for (int j = 0; j < 10; ++j) laughs += "h\x00"s;
    laughs += "eq\x00"s;
  }
  EXPECT_NE(error_of([&] { load(laughs + "."); }).find("more than 1048576 values"),
            std::string::npos);

  // One text of a megabyte, a million times.
  std::string texts =
      kProtocol + "X"s + "\x00\x00\x10\x00"s + std::string(1 << 20, 'x') + "q\x00]("s;
  for (int i = 0; i < 1'000'000; ++i) texts += "h\x00"s;
  EXPECT_NE(error_of([&] { load(texts + "e."); }).find("more than 1048576 values"),
            std::string::npos);
}

TEST(Pickle, SurvivesDamage) {
  const std::string good =
      pickle(Value::Dict{{"state", Value::Dict{{"a", at::zeros({3, 4})}, {"b", at::zeros({5})}}},
                         {"step", 5},
                         {"rates", Value::List{0.1, 0.2, "x", Value()}}},
             [](const at::Storage&, at::ScalarType) { return "0"; });
  Random random(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (int64_t flips = 1 + random.integer(3); flips > 0; --flips) {
      bad[random.integer(bad.size())] = static_cast<char>(random.bits());
    }
    refused += !error_of([&] { load(bad); }).empty();
  }
  EXPECT_GT(refused, 10'000);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(error_of([&] { load(good.substr(0, size)); }), "");
  }
}

}  // namespace
}  // namespace mobileone
