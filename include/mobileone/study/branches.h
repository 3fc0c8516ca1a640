#pragma once

#include "mobileone/config/study.h"

namespace mobileone {

/// Trains every cell of the grid with every seed, in output/runs/CELL-seedN, and writes
/// branches.html and branches.csv (paper, tables 4, 5 and 8, on data of one's own). Runs that are
/// done are left, a run that was stopped goes on. The page is written after each run, of what is
/// done.
///
/// Returns 0, or the signal that stopped it. Throws Error as `train` does, and where a run in the
/// folder was trained by another configuration than the study now asks for, naming the key.
int study_branches(const BranchesStudy& study);

}  // namespace mobileone
