#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "mobileone/bench/latency.h"
#include "mobileone/bench/operators.h"
#include "mobileone/config/study.h"
#include "mobileone/report/page.h"

namespace mobileone {

/// A network of a study.
struct StudyNetwork {
  std::string name;
  std::string group;  ///< what the networks of one colour have in common
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  std::vector<torch::Tensor> buffers = {};
};

/// What was counted and measured of one.
struct StudyRow {
  std::string name, group;
  OperatorCounts counts;             ///< of one image
  std::vector<std::string> unknown;  ///< operators whose multiply-adds are not counted
  Latency latency;                   ///< of a batch
};

struct LatencyStudy {
  LatencyConfig config;
  std::vector<StudyRow> rows;
  std::vector<std::string> doubts;  ///< as those of LatencyResults
};

/// Counts the operators of each network and times them in turn.
LatencyStudy measure_study(const std::vector<StudyNetwork>& networks, const LatencyConfig& config);

/// All numbers, a line a network.
std::string study_csv(const LatencyStudy& study);

/// The rows as a table, the median relative to the first one's where `relative`.
Table study_table(const LatencyStudy& study, bool relative);

/// What was measured how and where, and what is to be doubted of it, as parts of a page.
std::string study_notes(const LatencyStudy& study);

/// The study as bars of the median relative to the first row, a table, and its notes.
std::string relative_page(const std::string& title, const std::string& introduction,
                          const LatencyStudy& study);

/// The machine in a sentence, with LibTorch's version.
std::string describe_machine_for_page();

}  // namespace mobileone
