#include "mobileone/model/state_dict.h"

#include <gtest/gtest.h>

#include "mobileone/model/mobileone.h"

namespace mobileone {
namespace {

std::vector<NetworkOptions> networks() {
  std::vector<NetworkOptions> all;
  for (const auto& entry : enum_names(Variant{})) all.push_back(network_options(entry.value, 10));
  ModelConfig custom;
  custom.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  custom.depths = {1, 2, 1, 3};
  custom.branches = {1, 2, 3, 4};
  custom.se_blocks = {0, 1, 0, 2};
  custom.stem_branches = 2;
  custom.output_stride = 8;
  all.push_back(network_options(custom, 0));
  const size_t unfolded = all.size();
  for (size_t i = 0; i < unfolded; ++i) {
    all.push_back(all[i]);
    all.back().folded = true;
  }
  return all;
}

TEST(StateShapes, AreThoseOfTheNetworkInItsOrder) {
  for (const NetworkOptions& options : networks()) {
    const StateDict built = state_dict(*MobileOne(options));
    const StateShapes expected = state_shapes(options);
    ASSERT_EQ(expected.size(), built.size()) << options.variant;
    for (size_t i = 0; i < built.size(); ++i) {
      ASSERT_EQ(expected[i].key(), built[i].key());
      ASSERT_EQ(expected[i].value(), built[i].value().sizes().vec()) << built[i].key();
    }
  }
}

}  // namespace
}  // namespace mobileone
