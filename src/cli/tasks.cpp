#include "mobileone/cli/tasks.h"

#include <torch/utils.h>

namespace mobileone::cli {

const TaskCommands& commands_of(HeadKind head) {
  static constexpr TaskCommands kClassification{eval_classification, "rank,index,class,probability",
                                                predict_classes, judge_classification},
      kSegmentation{eval_segmentation, "mask,index,class,share", predict_masks, judge_segmentation},
      kDetection{eval_detection, "index,class,score,left,top,right,bottom", predict_boxes,
                 judge_detection};
  switch (head) {
    case HeadKind::kClassifier:
      return kClassification;
    case HeadKind::kDeepLabV3:
      return kSegmentation;
    case HeadKind::kSsdLite:
      return kDetection;
  }
  TORCH_CHECK(false, "unknown head");
}

}  // namespace mobileone::cli
