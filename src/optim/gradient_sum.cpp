#include "mobileone/optim/gradient_sum.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "mobileone/util/profile.h"

namespace mobileone {

/// On the node of autograd that adds to a parameter's gradient; autograd itself holds it weakly.
struct GradientSum::Hook {
  decltype(torch::autograd::impl::grad_accumulator({})) accumulator;
  uintptr_t key;
};

GradientSum::GradientSum(torch::nn::Module& module, const FlatState& state, StartSum start_sum,
                         int64_t bucket_bytes)
    : state_(state), start_sum_(std::move(start_sum)) {
  // Backward reaches weights from the last to the first. Norms and biases lie behind all weights,
  // and theirs are complete only when the first unit's are.
  std::vector<const FlatState::Slot*> slots;
  for (const auto& slot : state.parameter_slots()) slots.push_back(&slot);
  const auto weights_end = std::find_if(slots.begin(), slots.end(), [&](const auto* slot) {
    return slot->offset >= state.weight_count;
  });
  std::reverse(slots.begin(), weights_end);
  std::reverse(weights_end, slots.end());

  std::map<std::string, torch::Tensor> parameters;
  for (const auto& item : module.named_parameters()) parameters.emplace(item.key(), item.value());
  const int64_t element = state.gradients.element_size();
  for (const auto* slot : slots) {
    const int64_t end = slot->offset + c10::multiply_integers(slot->sizes);
    const bool follows = !buckets_.empty() && buckets_.back().begin == end &&
                         (buckets_.back().end - buckets_.back().begin) * element < bucket_bytes;
    if (!follows) buckets_.push_back({.begin = slot->offset, .end = end});
    buckets_.back().begin = slot->offset;
    ++buckets_.back().parameters;

    auto accumulator = torch::autograd::impl::grad_accumulator(parameters.at(slot->name));
    const size_t bucket = buckets_.size() - 1;
    const auto note = [this, bucket](const auto& outputs, const auto&) {
      note_gradient(bucket);
      return outputs;
    };
    const auto key =
        accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(note));
    hooks_.push_back({std::move(accumulator), key});
  }
}

GradientSum::~GradientSum() {
  for (const auto& hook : hooks_) hook.accumulator->del_post_hook(hook.key);
}

void GradientSum::begin() {
  active_ = true;
  for (auto& bucket : buckets_) bucket.missing = bucket.parameters;
}

void GradientSum::note_gradient(size_t bucket) {
  if (!active_) return;
  --buckets_[bucket].missing;
  while (pending_.size() < buckets_.size() && buckets_[pending_.size()].missing == 0) start_next();
}

void GradientSum::start_next() {
  const Bucket& bucket = buckets_[pending_.size()];
  pending_.push_back(start_sum_(state_.gradients.slice(0, bucket.begin, bucket.end)));
}

void GradientSum::finish() {
  const Span span("wait for gradients");
  while (pending_.size() < buckets_.size()) start_next();
  for (const auto& wait : pending_) wait();
  pending_.clear();
  active_ = false;
}

std::vector<int64_t> GradientSum::bucket_sizes() const {
  std::vector<int64_t> sizes;
  for (const auto& bucket : buckets_) sizes.push_back(bucket.end - bucket.begin);
  return sizes;
}

}  // namespace mobileone
