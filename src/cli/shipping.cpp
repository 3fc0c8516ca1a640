#include "mobileone/cli/shipping.h"

#include <cmath>

#include "mobileone/checkpoint/numbers.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone::cli {

void ShippingCheck::object(const std::string& objection) const {
  if (!force_) throw Error("{}; nothing was written (--force writes it nevertheless)", objection);
  log::warning("{}", objection);
}

void add_interface_options(CLI::App& command, InterfaceOptions& options) {
  command.add_flag("--with-preprocessing", options.with_preprocessing,
                   "Take uint8 images [N,H,W,3], resized and cropped already; of a classifier give "
                   "probabilities");
  command.add_flag("--argmax", options.outputs.argmax,
                   "Segmentation: give the class of each pixel, uint8 [N,H,W], instead of logits");
  command.add_flag("--raw-outputs", options.outputs.raw,
                   "Detection: give the scores and boxes of all anchors, of any number of images, "
                   "without non-maximum suppression");
}

MobileOne ShippingCheck::network(const Checkpoint& checkpoint, const std::string& origin,
                                 std::optional<Weights> wanted) const {
  const Weights chosen = choose_weights(checkpoint, origin, wanted);
  const bool average = chosen == Weights::kAverage;
  if (const auto flaw = unsound_numbers(average ? checkpoint.ema : checkpoint.weights)) {
    object(fmt::format("{}: no right result can come of its weights: {}", origin, *flaw));
  }
  return make_network(checkpoint, origin, wanted, Unsound::kAccept);
}

void ShippingCheck::logits(MobileOne network, int64_t size, const std::string& origin) const {
  torch::NoGradGuard no_grad;
  const auto logits = network->forward(seeded_input(network, 2, size));
  const double largest = logits.to(torch::kFloat64).abs().max().item<double>();
  const std::string odd = odd_logits(largest);
  if (odd.empty()) return;
  if (std::isfinite(largest)) return log::warning("{}: {}", origin, odd);
  const bool half = logits.scalar_type() == torch::kHalf;
  object(fmt::format("{}: {}{}", origin, odd,
                     half ? " in float16, which holds none above 65504: export with --dtype float32"
                          : " on fixed images"));
}

void ShippingCheck::agreement(const Difference& difference, torch::ScalarType type,
                              const std::string& what) const {
  if (agrees(difference, type)) return;
  object(fmt::format(
      "the folded network's logits differ from the unfolded one's by {} on {} (at most {:.2g} "
      "expected)",
      to_string(difference), what, allowed_difference(difference, type)));
}

}  // namespace mobileone::cli
