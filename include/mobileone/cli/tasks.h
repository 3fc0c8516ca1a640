#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/cli/inference_options.h"
#include "mobileone/cli/prediction_printer.h"
#include "mobileone/data/image_list.h"
#include "mobileone/dist/processes.h"
#include "mobileone/eval/detection_scores.h"
#include "mobileone/eval/judgement.h"
#include "mobileone/eval/model.h"

namespace mobileone::cli {

struct EvalOptions {
  InferenceOptions inference;
  std::string data, masks, annotations, report;
  std::string detections;  ///< COCO's results, judged instead of a network's
  std::string results;     ///< file that a network's are written to
  int64_t mistakes = 48;
  bool json = false;
};

struct PredictOptions {
  InferenceOptions inference;
  std::vector<std::string> images, lists;
  std::string output;                 ///< folder
  std::optional<int64_t> count;       ///< of classes
  std::optional<double> least_score;  ///< of objects
  PredictionFormat format = PredictionFormat::kText;
};

/// How many classes to print of each image. Throws Error if the options are those of detection.
int64_t classes_of(const PredictOptions& options, const Model& model);

/// What `eval`, `predict` and `compare` do with a loaded network, by its task.
struct TaskCommands {
  void (*eval)(const EvalOptions& options, const Model& model, const Processes& processes);
  const char* prediction_columns;  ///< of CSV
  void (*predict)(const PredictOptions& options, const Model& model, const ImageList& images,
                  PredictionPrinter& printer);
  Judgement (*judge)(const Model& model, const std::string& data);
};

/// The one list of them.
const TaskCommands& commands_of(HeadKind head);

void eval_classification(const EvalOptions& options, const Model& model,
                         const Processes& processes);
void eval_segmentation(const EvalOptions& options, const Model& model, const Processes& processes);
void predict_classes(const PredictOptions& options, const Model& model, const ImageList& images,
                     PredictionPrinter& printer);
void predict_masks(const PredictOptions& options, const Model& model, const ImageList& images,
                   PredictionPrinter& printer);

/// Judges a file of COCO's results by COCO's annotations.
void eval_results(const EvalOptions& options);
/// What is known where a network computed what was found.
struct NetworkFigures {
  double voc07, voc;  ///< Pascal VOC's mean average precision (task/voc_ap.h), shares
  double images_per_second;
};
/// As a table, or as one JSON object in percent.
void print_detection_evaluation(const DetectionEvaluation& result, bool as_json,
                                const std::optional<NetworkFigures>& network = {});
void eval_detection(const EvalOptions& options, const Model& model, const Processes& processes);
void predict_boxes(const PredictOptions& options, const Model& model, const ImageList& images,
                   PredictionPrinter& printer);

/// Throws Error unless all processes are to do the same.
void require_same_evaluation(const EvalOptions& options, const ImageList& list,
                             const Processes& processes);

}  // namespace mobileone::cli
