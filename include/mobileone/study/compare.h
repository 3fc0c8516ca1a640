#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mobileone/config/study.h"
#include "mobileone/eval/judgement.h"

namespace mobileone {

struct CompareOptions {
  std::string data = "";  ///< annotated images to judge by; empty: each run's data.val
  Judge judge;            ///< what evaluates a run's network
  LatencyConfig latency = {};
};

/// A page of two or more runs side by side: curves, what their configurations set differently,
/// accuracy by class and latency of their best weights, folded. What a run lacks, a checkpoint or
/// its images, is said on the page. Throws Error if a run cannot be read.
std::string comparison_page(const std::vector<std::filesystem::path>& folders,
                            const CompareOptions& options);

}  // namespace mobileone
