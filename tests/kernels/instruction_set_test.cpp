#include "mobileone/kernels/instruction_set.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <string>

#include "mobileone/util/error.h"

namespace mobileone::kernels {
namespace {

TEST(InstructionSets, TheBestIsUsedAndTheOthersCanBe) {
  const auto sets = instruction_sets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(instruction_set(), sets.front());
  for (const auto set : sets) {
    use_instruction_set(set);
    EXPECT_EQ(instruction_set(), set);
    EXPECT_EQ(instruction_sets(), sets);
  }
  hwy::DisableTargets(0);  // other tests of this process take theirs
}

TEST(InstructionSets, ThatAreNotHereAreRefusedWithThoseThatAre) {
  for (const char* name : {"avx9", "", "AVX2", "avx512", "neon"}) {
    const auto sets = instruction_sets();
    if (std::find(sets.begin(), sets.end(), name) != sets.end()) continue;
    try {
      use_instruction_set(name);
      FAIL() << name;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(name), std::string::npos);
      for (const auto set : sets) EXPECT_NE(message.find(set), std::string::npos) << message;
    }
    EXPECT_EQ(instruction_set(), sets.front());
  }
}

}  // namespace
}  // namespace mobileone::kernels
