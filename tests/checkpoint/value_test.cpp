#include "mobileone/checkpoint/value.h"

#include <ATen/ops/ones.h>

#include "checkpoint/files.h"

namespace mobileone {
namespace {

Value run_state() {
  return Value::Dict{{"step", 7},
                     {"rate", 0.5},
                     {"done", true},
                     {"note", "so far"},
                     {"nothing", Value()},
                     {"names", Value::List{"cat", "dog"}},
                     {"state", Value::Dict{{"weight", at::ones({2})}}}};
}

TEST(Value, HoldsWhatItWasMadeOf) {
  const Value value = run_state();
  EXPECT_EQ(value.at("step").as_int(), 7);
  EXPECT_EQ(value.at("rate").as_double(), 0.5);
  EXPECT_EQ(value.at("step").as_double(), 7.0);
  EXPECT_TRUE(value.at("done").as_bool());
  EXPECT_EQ(value.at("note").as_string(), "so far");
  EXPECT_TRUE(value.at("nothing").is_none());
  EXPECT_EQ(value.at("names").at(1).as_string(), "dog");
  EXPECT_EQ(value.at("state").as_tensors()["weight"].numel(), 2);
  EXPECT_EQ(value.as_dict()[0].key(), "step");
}

TEST(Value, KeepsIntegersTruthAndRealNumbersApart) {
  EXPECT_EQ(Value(true).kind(), Value::Kind::kBool);
  EXPECT_EQ(Value(1u).kind(), Value::Kind::kInt);
  EXPECT_EQ(Value(1.0f).kind(), Value::Kind::kDouble);
  EXPECT_EQ(Value("1").kind(), Value::Kind::kString);
  EXPECT_EQ(Value(Value::List{Value::List{1}}).at(0).kind(), Value::Kind::kList);
}

TEST(Value, FindsOrNot) {
  EXPECT_EQ(run_state().find("step")->as_int(), 7);
  EXPECT_FALSE(run_state().find("stop"));
}

TEST(Value, ErrorsNameTheWay) {
  const Value value = run_state().named("last.pth");
  EXPECT_EQ(error_of([&] { value.at("state").at("weight").as_int(); }),
            "last.pth > state > weight: is a tensor, expected an integer");
  EXPECT_EQ(error_of([&] { value.at("names").at(1).as_tensor(); }),
            "last.pth > names > 1: is a text, expected a tensor");
  EXPECT_EQ(error_of([&] { value.at("names").at(2); }),
            "last.pth > names: has 2 elements, element 2 was expected");
  EXPECT_EQ(error_of([&] { value.at("state").at("bias"); }),
            "last.pth > state: has no key 'bias'; it has 'weight'");
  EXPECT_EQ(error_of([&] { value.at("step").at("bias"); }),
            "last.pth > step: is an integer, expected a dict");
  EXPECT_EQ(error_of([&] { value.as_tensors(); }),
            "last.pth > step: is an integer, expected a tensor");
  EXPECT_EQ(error_of([] { Value("x").as_list(); }), "value: is a text, expected a list");
  EXPECT_EQ(error_of([] { Value(Value::Dict()).at("x"); }), "value: has no key 'x'; it is empty");
}

TEST(Value, NamesTheFirstOfManyKeys) {
  Value::Dict dict;
  for (int i = 0; i < 20; ++i) dict.insert(std::to_string(i), Value(i));
  EXPECT_EQ(error_of([&] { Value(dict).at("x"); }),
            "value: has no key 'x'; it has '0', '1', '2', '3', '4', '5', '6', '7' and 12 more");
}

}  // namespace
}  // namespace mobileone
