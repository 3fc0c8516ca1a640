#pragma once

#include <string_view>
#include <vector>

/// The kernels are compiled for several instruction sets: "avx512", "avx2" and "portable" on
/// x86-64, "neon" on ARM. A process uses the best that its machine has, or the one that it is
/// restricted to.
namespace mobileone::kernels {

/// The environment variable by which a user chooses one.
inline constexpr const char* kInstructionSetVariable = "MOBILEONE_ISA";

/// Those that this machine has, the best first.
std::vector<std::string_view> instruction_sets();

/// The one in use.
std::string_view instruction_set();

/// Restricts the kernels of this process to one of `instruction_sets()` from the next call on;
/// Error if it is none of them. No kernel may be running.
void use_instruction_set(std::string_view name);

}  // namespace mobileone::kernels
