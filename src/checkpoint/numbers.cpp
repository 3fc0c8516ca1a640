#include "mobileone/checkpoint/numbers.h"

#include <torch/types.h>

#include "byte_cursor.h"

namespace mobileone {
namespace {

int64_t count(const torch::Tensor& values) { return values.count_nonzero().item<int64_t>(); }

/// Nothing if the tensor is sound.
std::optional<std::string> flaw_of(const std::string& name, const torch::Tensor& tensor) {
  if (!tensor.is_floating_point()) return std::nullopt;
  const auto flaw = [&](int64_t numbers, const char* what) {
    return fmt::format("{}: {} of {} numbers {}", printable(name), numbers, tensor.numel(), what);
  };
  if (const int64_t bad = count(tensor.isfinite().logical_not()); bad > 0) {
    return flaw(bad, "are NaN or infinite");
  }
  if (!name.ends_with("running_var")) return std::nullopt;
  if (const int64_t bad = count(tensor.lt(0)); bad > 0) return flaw(bad, "are negative");
  const bool half = tensor.scalar_type() == torch::kHalf;
  if (!half && count(tensor) == 0) return flaw(tensor.numel(), "are zero");
  return std::nullopt;
}

}  // namespace

std::optional<std::string> unsound_numbers(const StateDict& state) {
  std::optional<std::string> first;
  int64_t more = 0;
  for (const auto& item : state) {
    auto flaw = flaw_of(item.key(), item.value());
    if (first && flaw) ++more;
    if (!first) first = std::move(flaw);
  }
  if (more > 0) *first += fmt::format(" ({} more tensors likewise)", more);
  return first;
}

}  // namespace mobileone
