#include "mobileone/config/schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "mobileone/config/reader.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"
#include "support/python.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {
using Json = nlohmann::ordered_json;

TEST(Schema, DescribesEveryKey) {
  const Json schema = Json::parse(config_schema());
  int keys = 0;
  Config{}.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&](std::string_view name, auto&, const FieldInfo& info) {
      const auto& key = schema["properties"][std::string(section)]["properties"][std::string(name)];
      EXPECT_TRUE(key["description"].get<std::string>().starts_with(info.doc)) << key;
      EXPECT_TRUE(key.contains("default") || key.contains("properties")) << key;
      ++keys;
    });
  });
  EXPECT_GT(keys, 50);
  const auto& model = schema["properties"]["model"];
  EXPECT_EQ(model["additionalProperties"], false);
  EXPECT_EQ(model["properties"]["variant"]["enum"], Json({"s0", "s1", "s2", "s3", "s4"}));
  EXPECT_EQ(model["properties"]["num_classes"]["maximum"].dump(), "1000000");
  EXPECT_EQ(schema["properties"]["augment"]["properties"]["crop_area"]["minItems"], 2);
  EXPECT_TRUE(schema["properties"].contains("base"));
}

/// Draws documents of which about half are valid: each sets a few keys, most of them to something
/// allowed or just beyond it.
class DocumentMaker {
 public:
  explicit DocumentMaker(uint64_t seed) : random_(seed) {
    Config{}.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
      sections_.emplace_back(section);
      fields.visit([&]<typename F>(std::string_view name, F&, const FieldInfo& info) {
        keys_.push_back({std::string(section), std::string(name),
                         [this, info] { return value_of_field<F>(info); }});
      });
    });
  }

  Json make() {
    if (random_.chance(0.01)) return oddity();
    Json document = Json::object();
    for (int64_t count = random_.integer(3) + 1; count > 0; --count) {
      const Key& key = keys_[random_.integer(keys_.size())];
      document[key.section][key.name] = key.draw();
    }
    if (random_.chance(0.03)) document[sections_[random_.integer(sections_.size())]]["lrr"] = 1;
    if (random_.chance(0.05)) document["base"] = random_.chance(0.5) ? Json("base.yaml") : oddity();
    if (random_.chance(0.05)) document[sections_[random_.integer(sections_.size())]] = oddity();
    if (random_.chance(0.05)) document[sections_[random_.integer(sections_.size())]] = nullptr;
    if (random_.chance(0.03)) document["no_such_section"] = Json::object();
    return document;
  }

 private:
  struct Key {
    std::string section, name;
    std::function<Json()> draw;
  };

  Json one_of(std::vector<Json> values) { return values[random_.integer(values.size())]; }

  /// What few keys take, and no key takes all of. (No text and no number where a file is named.)
  Json oddity() {
    return one_of({nullptr, Json::array(), Json::object(), Json::array({Json::array()}),
                   Json::array({nullptr}), Json::object({{"a", 1}})});
  }

  template <typename T>
  Json value_of_field(const FieldInfo& info) {
    if (random_.chance(0.06)) return one_of({true, "1", "0.5", "", "true", "S0", 1, 0.5, oddity()});
    return value<T>(info);
  }

  template <typename T>
  Json value(const FieldInfo& info) {
    if constexpr (std::is_same_v<T, bool>) {
      return one_of({true, false});
    } else if constexpr (std::is_same_v<T, std::string>) {
      return one_of({"", "a folder", "null", "2012", 2012, 0.5, true});
    } else if constexpr (std::is_enum_v<T>) {
      std::string name(one_of_names<T>());
      if (random_.chance(0.15)) name[0] = static_cast<char>(std::toupper(name[0]));
      return name;
    } else if constexpr (std::is_arithmetic_v<T>) {
      return number(info, std::is_integral_v<T>);
    } else if constexpr (requires(T & fields) { fields.epoch; }) {
      return fields_of<T>("sise");
    } else if constexpr (requires(T & fields) {
                           fields.visit([](std::string_view, auto&, const FieldInfo&) {});
                         }) {
      return fields_of<T>("stage5");
    } else {
      return list<T>(info);
    }
  }

  template <typename E>
  std::string_view one_of_names() {
    const auto names = enum_names(E{});
    return names[random_.integer(names.size())].name;
  }

  /// In the range, at its ends, and beyond them; integers also as 3.0, with a fraction or quoted.
  Json number(const FieldInfo& info, bool integer) {
    const double low = std::max(info.min, -1e6), high = std::min(info.max, 1e16);
    double drawn = one_of({low, high, 0, 1, 8, 16, random_.uniform(low, std::min(high, low + 100)),
                           random_.uniform(low, high)});
    if (integer) drawn = std::round(drawn);
    if (random_.chance(0.06)) drawn = integer ? low - 1 : std::nextafter(low, -kUnbounded);
    if (random_.chance(0.06)) drawn = integer ? high + 1 : std::nextafter(high, kUnbounded);
    if (random_.chance(0.04)) drawn += 0.5;
    if (random_.chance(0.02)) return fmt::format("{}", drawn);
    const bool whole = drawn == std::trunc(drawn) && std::abs(drawn) < 9e15;
    return whole && random_.chance(0.7) ? Json(static_cast<int64_t>(drawn)) : Json(drawn);
  }

  template <typename List>
  Json list(const FieldInfo& info) {
    using Item = typename List::value_type;
    int64_t length = random_.integer(6);
    if (!info.allowed.empty()) length = info.allowed[random_.integer(info.allowed.size())];
    if constexpr (requires { std::tuple_size<List>::value; }) length = std::tuple_size_v<List>;
    if (random_.chance(0.1)) length += random_.chance(0.5) ? 1 : -1;
    FieldInfo mild = info;  // a list of several values should still have a chance to be valid
    mild.allowed = {};
    if (std::is_arithmetic_v<Item> && random_.chance(0.15)) return value<Item>(mild);
    std::vector<Json> items;
    for (int64_t i = 0; i < length; ++i) {
      items.push_back(random_.chance(0.05) ? one_of({oddity(), "1", 1}) : value<Item>(mild));
    }
    if (random_.chance(0.5)) std::ranges::sort(items);
    return items;
  }

  /// Most of a struct's fields and, now and then, one that it does not have.
  template <typename T>
  Json fields_of(const char* unknown) {
    Json fields = Json::object();
    T{}.visit([&]<typename F>(std::string_view name, F&, const FieldInfo& info) {
      if (random_.chance(0.8)) fields[std::string(name)] = value<F>(info);
    });
    if (random_.chance(0.05)) fields[unknown] = 96;
    return fields;
  }

  Random random_;
  std::vector<std::string> sections_;
  std::vector<Key> keys_;
};

/// Whether an error is one of validate.h's, about several values; no schema knows of these.
bool is_contradiction(const std::string& line) {
  return std::ranges::any_of(
      std::initializer_list<const char*>{"more than model.depths",
                                         "is larger than data.eval_resize",
                                         "the smaller number first",
                                         "expected a hue",
                                         "needs an optimizer.momentum",
                                         "does not divide schedule.batch_size",
                                         "leaves nothing of schedule.epochs",
                                         "is above optimizer.lr",
                                         "starts at epoch",
                                         "needs model.pretrained",
                                         "needs runtime.engine",
                                         "but model.freeze names",
                                         "names every part",
                                         "is set, but",
                                         "in timm's space",
                                         "in torchvision's space",
                                         "needs timm's space",
                                         "needs both mixup",
                                         "number(s), but model.in_channels is",
                                         "weights for the",
                                         "sets the weights that loss.class_weights gives",
                                         "needs schedule.warmup_epochs",
                                         "is SGD's, but",
                                         "are AdamW's, but",
                                         "which model.head",
                                         "with model.head ",
                                         "model.head is ",
                                         "levels of strides above",
                                         "hard negatives are not mined"},
      [&](const char* phrase) { return line.find(phrase) != std::string::npos; });
}

/// "valid", "invalid", or none where the only faults are contradictions; and what the reader said.
std::pair<std::optional<std::string>, std::string> verdict_of_reader(const std::string& file) {
  try {
    load_config(file);
    return {"valid", ""};
  } catch (const Error& error) {
    std::istringstream lines(error.what());
    bool contradictions_alone = true;
    for (std::string line; std::getline(lines, line);)
      contradictions_alone &= is_contradiction(line);
    if (contradictions_alone) return {std::nullopt, error.what()};
    return {"invalid", error.what()};
  }
}

TEST(Schema, JudgesAsTheReaderDoes) {
  if (!python_has("jsonschema")) {
    GTEST_SKIP() << "needs Python with jsonschema in .deps/venv: scripts/setup.sh";
  }
  const TestFolder folder;
  folder.write("schema.json", config_schema());
  folder.write("base.yaml", "");

  DocumentMaker maker(7);
  std::vector<std::string> documents, verdicts, messages;
  std::string text;
  while (documents.size() < 4000) {
    const std::string document = maker.make().dump();
    std::ofstream(folder.path("document.yaml")) << document;
    const auto [verdict, message] = verdict_of_reader(folder.path("document.yaml"));
    if (!verdict) continue;
    documents.push_back(document);
    verdicts.push_back(*verdict);
    messages.push_back(message);
    text += document + "\n";
  }
  const auto valid = std::ranges::count(verdicts, "valid");
  EXPECT_GT(valid, 1200);
  EXPECT_LT(valid, 2800);

  folder.write("documents.jsonl", text);
  const std::string script = MOBILEONE_SOURCE_DIR "/tests/python/schema_verdicts.py";
  ASSERT_EQ(std::system(fmt::format("'{}' '{}' '{}' '{}' > '{}'", kPython, script,
                                    folder.path("schema.json"), folder.path("documents.jsonl"),
                                    folder.path("verdicts.txt"))
                            .c_str()),
            0);
  std::istringstream answers(read_file(folder.path("verdicts.txt")));
  std::string answer;
  for (size_t i = 0; i < documents.size(); ++i) {
    ASSERT_TRUE(std::getline(answers, answer)) << i;
    EXPECT_EQ(answer, verdicts[i]) << documents[i] << "\n" << messages[i];
  }
}

}  // namespace
}  // namespace mobileone
