#include "mobileone/eval/detection.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "logits.h"
#include "mobileone/data/coco_results.h"
#include "mobileone/data/detect_transforms.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/eval/detection_scores.h"
#include "mobileone/task/detection.h"
#include "mobileone/task/detections.h"
#include "mobileone/util/error.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

/// A model as a function from a batch to what it finds in each image.
class Detector {
 public:
  Detector(const Model& model, Precision precision)
      : model_(model),
        precision_(precision),
        decode_(std::get<SsdLiteOptions>(network_options(model.config).head),
                nms_of(model.config.detect), model.config.data.eval_crop,
                model.config.data.eval_crop) {}

  /// In pixels of the pictures.
  std::vector<std::vector<Detection>> operator()(const Batch& batch) const {
    const auto output = output_of(model_, batch.images, precision_).to(torch::kCPU);
    const int64_t images = batch.images.size(0), classes = model_.config.model.num_classes;
    std::vector<std::vector<Detection>> found;
    if (output.dim() == 3 && output.size(0) == images && output.size(2) == 4 + 1 + classes) {
      for (const auto& own : output.unbind()) found.push_back(decode_(own));
    } else if (output.dim() == 2 && output.size(1) == kRow && images == 1) {
      found.push_back(of_rows(output.to(torch::kFloat32).contiguous()));
    } else {
      throw Error(
          "{}: gives an output of [{}] for {} image(s), expected detections [n, {}] or "
          "[{}, anchors, {}]",
          model_.origin, fmt::join(output.sizes(), ", "), images, kRow, images, 4 + 1 + classes);
    }
    for (size_t i = 0; i < found.size(); ++i) {
      found[i] = in_picture(batch.cuts[i], std::move(found[i]));
    }
    return found;
  }

 private:
  static constexpr int64_t kRow = 6;  ///< left, top, right, bottom, score, label

  static std::vector<Detection> of_rows(const torch::Tensor& rows) {
    std::vector<Detection> found;
    const float* row = rows.const_data_ptr<float>();
    for (int64_t i = 0; i < rows.size(0); ++i, row += kRow) {
      found.push_back({.box = {row[0], row[1], row[2], row[3]},
                       .label = static_cast<int32_t>(row[5]),
                       .score = row[4]});
    }
    return found;
  }

  const Model& model_;
  const Precision precision_;
  const DetectionDecoder decode_;
};

LoaderOptions loading_options(const Model& model, const EvaluationOptions& options) {
  LoaderOptions loading =
      task_of(model.config)
          ->eval_options(model.config.data, model.exported ? 1 : options.batch_size);
  loading.workers = options.workers;
  return loading;
}

}  // namespace

DetectedSet detect_set(const Model& model, const ImageList& images,
                       const EvaluationOptions& options, const Processes& processes) {
  const ImageList list = match_object_classes(images, model.class_names, model.origin);
  const Detector detector(model, options.precision);
  LoaderOptions loading = loading_options(model, options);
  loading.part = {.rank = processes.rank(), .size = processes.size(), .whole_batches = true};
  Loader loader(list, loading);
  std::optional<Progress> progress;
  if (processes.first()) progress.emplace("evaluating", list.size(), "img");
  int64_t done = 0;
  const auto start = Progress::Clock::now();
  std::vector<std::vector<Detection>> found(static_cast<size_t>(list.size()));
  std::vector<double> seen(found.size());  // zeros: another's, or unreadable
  loader.start_epoch(0, detect_eval_transform(model.config.data));
  for_each_batch(loader, processes, {}, [&](const Batch& batch) {
    auto own = detector(batch);
    for (size_t i = 0; i < own.size(); ++i) {
      const auto index = static_cast<size_t>(batch.indices[i]);
      found[index] = std::move(own[i]);
      seen[index] = 1;
    }
    done += std::ssize(own) * processes.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list.size()), "");
  });
  share_detections(processes, found);
  seen = processes.sums(std::move(seen));
  DetectedSet result{.list = list};
  for (int64_t index = 0; index < list.size(); ++index) {
    const auto place = static_cast<size_t>(index);
    if (seen[place] == 0) continue;
    result.indices.push_back(index);
    result.images.push_back({list.objects->image_id(index), coco_objects(list.objects->of(index)),
                             coco_detections(found[place])});
  }
  result.found = std::move(found);
  result.seconds = seconds_since(start);
  result.damaged = list.size() - std::ssize(result.images);
  require_few_damaged(list, result.damaged);
  return result;
}

int64_t detect(const Model& model, const ImageList& images, const EvaluationOptions& options,
               const std::function<void(const DetectedPicture&)>& take) {
  const Detector detector(model, options.precision);
  LoaderOptions loading = loading_options(model, options);
  loading.batch_size = 1;  // each is handed over as it comes
  loading.fewest = 0;
  loading.any_damage = true;
  ImageList list = images;
  list.objects = nullptr;
  Loader loader(list, loading);
  loader.start_epoch(0, detect_eval_transform(model.config.data));
  int64_t unreadable = 0;
  while (const auto batch = loader.next()) {
    for (const auto& damaged : batch->damaged) {
      ++unreadable;
      take({.index = damaged.index, .error = damaged.message});
    }
    if (batch->indices.empty()) continue;
    auto found = detector(*batch);
    take({.index = batch->indices.front(), .found = std::move(found.front())});
  }
  return unreadable;
}

}  // namespace mobileone
