#include "mobileone/config/config.h"

#include <gtest/gtest.h>

#include <set>

namespace mobileone {
namespace {

template <typename Check>
void for_each_field(Config config, Check check) {
  config.visit([&](std::string_view section, auto& fields, const FieldInfo&) {
    fields.visit([&](std::string_view name, auto& field, const FieldInfo& info) {
      check(std::string(section) + "." + std::string(name), field, info);
    });
  });
}

TEST(Config, NamesEachKeyOnceAndDocumentsIt) {
  std::set<std::string> keys;
  for_each_field(Config{}, [&](const std::string& key, auto&, const FieldInfo& info) {
    EXPECT_TRUE(keys.insert(key).second) << key;
    EXPECT_TRUE(info.doc.ends_with('.')) << key;
    EXPECT_LE(info.min, info.max) << key;
  });
  for (const char* fixed :
       {"data.train", "data.val", "data.workers", "schedule.epochs", "schedule.batch_size",
        "output.dir", "runtime.threads", "runtime.seed"}) {
    EXPECT_TRUE(keys.contains(fixed)) << fixed;
  }
}

/// The reader compares integers with `max`, which int64_t must hold.
TEST(Config, BoundsEveryInteger) {
  for_each_field(Config{}, [&]<typename F>(const std::string& key, F&, const FieldInfo& info) {
    if constexpr (std::is_same_v<F, int64_t>) {
      EXPECT_GT(info.min, -1e18) << key;
      EXPECT_LT(info.max, 1e18) << key;
    }
  });
}

TEST(Config, DefaultsAreInRange) {
  for_each_field(Config{},
                 [&]<typename F>(const std::string& key, F& field, const FieldInfo& info) {
                   if constexpr (std::is_arithmetic_v<F>) {
                     EXPECT_GE(field, info.min) << key;
                     EXPECT_LE(field, info.max) << key;
                   }
                 });
}

template <typename E>
void expect_names_round_trip() {
  for (const auto& entry : enum_names(E{})) {
    EXPECT_EQ(to_string(entry.value), entry.name);
    EXPECT_EQ(from_string<E>(entry.name), entry.value);
  }
  EXPECT_EQ(from_string<E>("no such name"), std::nullopt);
}

TEST(Config, EnumsRoundTrip) {
  expect_names_round_trip<Variant>();
  expect_names_round_trip<Policy>();
  expect_names_round_trip<DeviceChoice>();
  expect_names_round_trip<Precision>();
}

}  // namespace
}  // namespace mobileone
