// Restricts all tests of a program to the instruction set that MOBILEONE_ISA names.
#include "mobileone/kernels/instruction_set.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace mobileone {
namespace {

class InstructionSet : public testing::Environment {
 public:
  void SetUp() override {
    if (const char* name = std::getenv(kernels::kInstructionSetVariable)) {
      kernels::use_instruction_set(name);
    }
  }
};

[[maybe_unused]] const auto* const environment =
    testing::AddGlobalTestEnvironment(new InstructionSet);

}  // namespace
}  // namespace mobileone
