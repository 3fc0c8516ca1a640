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
      {"csubprocess\nPopen\n.", "it wants to run subprocess.Popen"},
      {"U\x02osU\x06system\x93.", "it wants to run os.system"},
      {"cos\nevil\x1b[31m\n.", "it wants to run os.evil?[31m"},
      {fmt::format("cos\n{:x>1000}\n.", ""), "os." + std::string(80, 'x') + ", which"},
      {"cos", "no line ends after byte 3"},
      {"i", "opcode 0x69, which weights do not need"},
      {"\x82", "opcode 0x82"},
      {"", "1 bytes expected at byte 2, 0 are left"},
      {".", "its stack is empty"},
      {"K", "1 bytes expected"},
      {"X\xff\xff\xff\xff"
       "a.",
       "4294967295 bytes expected at byte 7, 2 are left"},
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
      {"K\x01)R.", "a function to call was expected"},
      {"ctorch\nFloatStorage\n)R.", "a function to call was expected"},
      {"ctorch\nSize\nK\x01\x85R.", "a list or a tuple was expected"},
      {"ctorch._utils\n_rebuild_parameter\n)R.", "a call with 0 arguments, expected 1 to 4"},
      {kRebuild + "(" + storage(4, "QInt8Storage") + number(0) + tuple({1}) + tuple({1}) +
           "\x89NtR.",
       "a quantized tensor that does not say how"},
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

struct Unknown {
  std::string pickled;
  std::string what;
};

TEST(Pickle, MakesPlaceholdersOfWhatIsNoValue) {
  const std::vector<Unknown> table = {
      {"cargparse\nNamespace\n)\x81}U\x02lrK\x01sb", "an object made by argparse.Namespace"},
      {"cnumpy\nfloat64\n", "numpy.float64"},
      {"U\x05numpyU\x07"
       "float64\x93",
       "numpy.float64"},
      {"c__torch__.Net\nBlock\n)R", "an object made by __torch__.Net.Block"},
      {"cevil\x1b[31m\nname\n", "evil?[31m.name"},
      {fmt::format("c{:x>1000}\ny\n", ""), std::string(80, 'x') + ".y"},
      {"cenum\nMode\nK\x01\x85RK\x01\x85R", "an object made by enum.Mode"},
      {"cdata\nConfig\n)}\x92", "an object made by data.Config"},
      {"ctorch._utils\n_rebuild_sparse_tensor\nK\x01K\x02\x86R",
       "an object made by torch._utils._rebuild_sparse_tensor"},
      {"\x8a\x09"
       "123456789",
       "an integer of more than 64 bits"},
      {"\x8b\x09\x00\x00\x00"
       "123456789"s,
       "an integer of more than 64 bits"},
      {"}K\x01K\x01sU\x01"
       "1K\x01s",
       "a dict with the key '1' twice"},
      {"}NK\x01s", "a dict with keys that are neither texts nor integers"},
      {"ccollections\nOrderedDict\ncx\ny\n)R\x85R", "an object made of what is not known"},
      {"ctorch\nSize\n", "a function or class"},
      {"ctorch\nFloatStorage\n", "a type of storages"},
      {storage(1), "a storage"},
      {kRebuild + "(" + storage(1) + number(0) + tuple({1}) + tuple({1}) +
           "\x89N}U\x04"
           "conj\x88stR",
       "a tensor whose values are to be negated or conjugated"},
  };
  for (const Unknown& unknown : table) {
    const Value value = load(kProtocol + unknown.pickled + ".");
    EXPECT_EQ(value.kind(), Value::Kind::kPlaceholder) << unknown.what;
    EXPECT_EQ(value.description(), unknown.what);
    EXPECT_EQ(error_of([&] { value.named("x.pth").as_dict(); }),
              "x.pth: is " + unknown.what + ", expected a dict");
    EXPECT_NE(error_of([&] { pickle(value, {}); }), "");
  }
}

TEST(Pickle, KeepsWhatIsPutIntoObjectsOfUnknownClasses) {
  const Value dict = load(kProtocol +
                          "cown\nDict\n)R}U\x03tagK\x01sbU\x01"
                          "aK\x07s.");
  EXPECT_EQ(dict.at("a").as_int(), 7);
  EXPECT_EQ(load(kProtocol + "cown\nList\n)R(K\x05K\x06"
                             "e.")
                .at(1)
                .as_int(),
            6);
  const Value counts = load(kProtocol +
                            "ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RU\x01"
                            "aK\x07s.");
  EXPECT_EQ(counts.at("a").as_int(), 7);
}

TEST(Pickle, ReadsANetworkThatWasPickledWholeAsItsStateDict) {
  const std::string tensor_12 = tensor(0, {12}, {1}).substr(kProtocol.size());
  const std::string one = tensor_12.substr(0, tensor_12.size() - 1);  // without its end
  const auto module = [&](const std::string& parts) { return "cnn\nNet\n)\x81}(" + parts + "ub"; };
  const std::string none = "U\x0b_parameters}U\x08_buffers}";
  const std::string leaf =
      module("U\x0b_parameters}(U\x06weight" + one +
             "U\x04"
             "biasNu" +
             "U\x08_buffers}(U\x04mean" + one + "U\x04temp" + one + "u" +
             "U\x1b_non_persistent_buffers_set\x8f(U\x04temp\x90" + "U\x08_modules}");
  const Value state = load(kProtocol +
                           module(none +
                                  "U\x08_modules}U\x04"
                                  "conv" +
                                  leaf + "s") +
                           ".");
  EXPECT_EQ(state.as_tensors().keys(), (std::vector<std::string>{"conv.weight", "conv.mean"}));
  EXPECT_NE(error_of([&] {
              load(kProtocol + "cnn\nNet\n)\x81q\x01}(" + none + "U\x08_modules}U\x01xh\x01sub.");
            }).find("more than 64 levels"),
            std::string::npos);
}

TEST(Pickle, ReadsEveryProtocolFromTheSecond) {
  // pickle.dumps({"a": [b"x", bytearray(b"y"), {3}, frozenset({4}), 2 ** 40, (1,) ]}, protocol)
  for (const std::string& pickled :
       {"\x80\x03}q\x00X\x01\x00\x00\x00"
        "aq\x01](C\x01xX\x01\x00\x00\x00yc__builtin__\nset\n]K\x03"
        "a\x85R"
        "c__builtin__\nfrozenset\n]K\x04"
        "a\x85R\x8a\x06\x00\x00\x00\x00\x00\x01K\x01\x85"
        "es."s,
        "\x80\x05\x95\x40\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01"
        "a\x94](C\x01x\x94\x96\x01\x00\x00\x00\x00\x00\x00\x00y\x94"
        "\x8f\x94(K\x03\x90(K\x04\x91\x94\x8a\x06\x00\x00\x00\x00\x00\x01K\x01\x85\x94"
        "es."s}) {
    const Value list = load(pickled).at("a");
    EXPECT_EQ(list.at(0).as_string(), "x");
    EXPECT_EQ(list.at(1).as_string(), "y");
    EXPECT_EQ(list.at(2).at(0).as_int(), 3);
    EXPECT_EQ(list.at(3).at(0).as_int(), 4);
    EXPECT_EQ(list.at(4).as_int(), int64_t{1} << 40);
    EXPECT_EQ(list.at(5).at(0).as_int(), 1);
  }
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
