#include "mobileone/eval/judgement.h"

#include <fmt/format.h>

#include "mobileone/data/mask_sets.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/detection.h"
#include "mobileone/eval/detection_scores.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/eval/segmentation.h"
#include "mobileone/eval/segmentation_report.h"
#include "mobileone/report/text.h"

namespace mobileone {
namespace {

std::string percentage(double value) { return number_or("–", value); }

}  // namespace

Judgement judge_classification(const Model& model, const std::string& data) {
  const Evaluation evaluation = evaluate(model, read_image_list(data), {});
  const auto& meter = evaluation.meter;
  const MeanScores scores = mean_scores(evaluation.images);
  Judgement judgement{
      .header = {"images", "top-1, %", "top-5, %", "balanced accuracy, %", "macro F1, %", "loss"},
      .row = {fmt::format("{}", meter.images()), percentage(meter.top1()), percentage(meter.top5()),
              percentage(scores.balanced_accuracy), percentage(scores.f1),
              fmt::format("{:.4f}", meter.loss())},
      .extent = "images",
      .score = "recall",
      .classes = {}};
  for (const auto& each : per_class(evaluation.images)) {
    judgement.classes.push_back({evaluation.class_names[static_cast<size_t>(each.label)],
                                 fmt::format("{}", each.images), each.recall()});
  }
  return judgement;
}

Judgement judge_segmentation(const Model& model, const std::string& data) {
  const DataConfig& config = model.config.data;
  const std::string masks = data == config.val ? config.val_masks : "";
  const auto evaluation = evaluate_segmentation(model, read_mask_list(data, masks, config), {});
  const PixelConfusion& confusion = evaluation.meter.confusion();
  Judgement judgement{.header = {"images", "mIoU, %", "pixel accuracy, %", "loss"},
                      .row = {fmt::format("{}", evaluation.meter.images()),
                              percentage(confusion.miou()), percentage(confusion.pixel_accuracy()),
                              fmt::format("{:.4f}", evaluation.meter.loss())},
                      .extent = "pixels, %",
                      .score = "IoU",
                      .classes = {}};
  for (const auto& each : per_class(confusion)) {
    judgement.classes.push_back({evaluation.class_names[static_cast<size_t>(each.label)],
                                 percentage(each.share), each.iou});
  }
  return judgement;
}

Judgement judge_detection(const Model& model, const std::string& data) {
  const DataConfig& config = model.config.data;
  const std::string annotations = data == config.val ? config.val_annotations : "";
  const DetectedSet set = detect_set(model, read_object_list(data, annotations, config), {});
  const CocoScores scores = score_detections(set.list.class_names, set.images).scores;
  Judgement judgement{
      .header = {"images", "AP, %", "AP50, %", "AP75, %", "small, %", "medium, %", "large, %"},
      .row = {fmt::format("{}", set.images.size())},
      .extent = "objects",
      .score = "AP",
      .classes = {}};
  for (const double share :
       {scores.ap, scores.ap50, scores.ap75, scores.ap_small, scores.ap_medium, scores.ap_large}) {
    judgement.row.push_back(percentage(100 * share));
  }
  for (size_t i = 0; i < set.list.class_names.size(); ++i) {
    judgement.classes.push_back({set.list.class_names[i],
                                 fmt::format("{}", scores.class_objects[i]),
                                 100 * scores.class_ap[i]});
  }
  return judgement;
}

}  // namespace mobileone
