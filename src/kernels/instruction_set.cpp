#include "mobileone/kernels/instruction_set.h"

#include <fmt/ranges.h>
#include <hwy/targets.h>

#include "mobileone/util/error.h"

namespace mobileone::kernels {
namespace {

struct InstructionSet {
  std::string_view name;
  int64_t targets;  ///< Highway's names of it
};

constexpr InstructionSet kInstructionSets[] = {{"avx512", HWY_AVX3},
                                               {"avx2", HWY_AVX2},
                                               {"neon", HWY_NEON},
                                               {"portable", HWY_SCALAR | HWY_EMU128}};

/// Those among `targets`, the best first.
std::vector<InstructionSet> among(int64_t targets) {
  std::vector<InstructionSet> found;
  for (const auto& set : kInstructionSets) {
    if ((set.targets & targets) != 0) found.push_back(set);
  }
  return found;
}

/// What the kernels are compiled for and this machine has, whatever the process is restricted to.
std::vector<InstructionSet> here() {
  static const int64_t targets = HWY_TARGETS & hwy::SupportedTargets();
  return among(targets);
}

}  // namespace

std::vector<std::string_view> instruction_sets() {
  std::vector<std::string_view> names;
  for (const auto& set : here()) names.push_back(set.name);
  return names;
}

std::string_view instruction_set() {
  return among(HWY_TARGETS & hwy::SupportedTargets()).front().name;
}

void use_instruction_set(std::string_view name) {
  for (const auto& set : here()) {
    if (set.name == name) return hwy::DisableTargets(~set.targets);
  }
  throw Error("no instruction set '{}' ({}, --isa): this machine has {}", name,
              kInstructionSetVariable, fmt::join(instruction_sets(), ", "));
}

}  // namespace mobileone::kernels
