#pragma once

#include "mobileone/config/study.h"

/// The paper's studies of latency (section 3.1). Each writes NAME.html and NAME.csv into its
/// folder `output`. They throw Error for what cannot be read or written.
namespace mobileone {

/// Whether multiply-adds, parameters, activations or memory traffic tell latency: scatter.html
/// with Spearman's ρ and Kendall's τ (paper, figure 2 and table 1).
void study_scatter(const ScatterStudy& study);

/// What activation functions cost in a plain CNN (paper, table 2).
void study_activations(const ActivationsStudy& study);

/// What squeeze-and-excitation, skip connections, train-time branches and global pooling cost in a
/// plain CNN (paper, table 3).
void study_blocks(const BlocksStudy& study);

}  // namespace mobileone
