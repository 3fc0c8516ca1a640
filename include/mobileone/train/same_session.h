#pragma once

#include <string>

#include "mobileone/config/config.h"
#include "mobileone/data/image_list.h"
#include "mobileone/dist/processes.h"
#include "mobileone/train/training_data.h"

namespace mobileone {

/// What processes of one run must have alike. Each throws Error, in every process, where one has
/// another than rank 0, and says which and in what. `what` is named by the error: "model".
void require_same(const std::string& what, const std::string& own, const Processes& processes);
void require_same_program(const Processes& processes);
void require_same_images(const std::string& what, const ImageList* list,
                         const Processes& processes);

/// The program, the configuration (paths and what suits a machine aside) and the images.
void require_same_session(const Config& config, const TrainingData& data,
                          const Processes& processes);

}  // namespace mobileone
