#include "mobileone/eval/segmentation.h"

#include <torch/utils.h>

#include <algorithm>
#include <optional>

#include "logits.h"
#include "mobileone/data/class_match.h"
#include "mobileone/data/segment_transforms.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

constexpr size_t kColumns = 3;

LoaderOptions loading_options(const Model& model, const EvaluationOptions& options) {
  LoaderOptions loading = task_of(model.config)->eval_options(model.config.data, 1);
  loading.workers = options.workers;
  return loading;
}

/// [H,W] of the picture's own size.
at::Tensor predicted_mask(const Model& model, const torch::Tensor& image, Precision precision,
                          int64_t height, int64_t width) {
  const auto logits = dense_logits_of(model, image, precision);
  return resized_logits(logits, height, width).argmax(1).squeeze(0).to(torch::kByte);
}

}  // namespace

int64_t count_segmentation_classes(const Model& model, Precision precision) {
  const int64_t size = model.config.data.eval_crop, channels = std::ssize(model.config.data.mean);
  return dense_logits_of(model, torch::zeros({1, channels, size, size}), precision).size(1);
}

SegmentationEvaluation evaluate_segmentation(const Model& model, const ImageList& images,
                                             const EvaluationOptions& options,
                                             const Processes& processes) {
  const int64_t classes = count_segmentation_classes(model, options.precision);
  require_same_classes(model.class_names, model.origin, images);
  ImageList list = images;
  list.mask_labels.num_classes = classes;
  LoaderOptions loading = loading_options(model, options);
  loading.part = {.rank = processes.rank(), .size = processes.size(), .whole_batches = true};
  Loader loader(list, loading);

  SegmentationEvaluation result{.meter = SegmentationMeter(classes)};
  for (int64_t i = 0; i < classes; ++i) result.class_names.push_back(class_name_of(model, i));
  std::vector<double> rows(static_cast<size_t>(list.size()) * kColumns);  // zeros: another's
  std::optional<Progress> progress;
  if (processes.first()) progress.emplace("evaluating", list.size(), "img");
  int64_t done = 0;
  const auto start = Progress::Clock::now();
  loader.start_epoch(0, segment_eval_transform(model.config.data));
  for_each_batch(loader, processes, {}, [&](const Batch& batch) {
    const auto logits = dense_logits_of(model, batch.images, options.precision, classes);
    SegmentationMeter own(classes);
    own.add({logits}, batch);
    result.meter.merge(own);
    double* row = rows.data() + static_cast<size_t>(batch.indices.front()) * kColumns;
    row[0] = 1, row[1] = own.confusion().miou(), row[2] = own.confusion().pixel_accuracy();
    done += processes.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list.size()), "");
  });
  result.meter.sum_over(processes);
  result.seconds = seconds_since(start);
  result.damaged = list.size() - result.meter.images();
  require_few_damaged(list, result.damaged);
  rows = processes.sums(rows);
  for (int64_t index = 0; index < list.size(); ++index) {
    const double* row = rows.data() + static_cast<size_t>(index) * kColumns;
    if (row[0] > 0) result.images.push_back({index, row[1], row[2]});
  }
  return result;
}

SegmentedPicture segment_one(const Model& model, const ImageList& list, int64_t index,
                             Precision precision) {
  const Transform transform = segment_eval_transform(model.config.data);
  ImagePipeline pipeline(loader_options(model.config.data).images);
  Random random(/*seed=*/0);  // of which evaluation draws nothing
  pipeline.decode(list.read(index), list.name(index), transform, random);
  const at::Tensor input = at::empty({1, pipeline.channels(), pipeline.height(), pipeline.width()},
                                     at::kFloat, at::MemoryFormat::ChannelsLast);
  pipeline.finish(transform, random, input.mutable_data_ptr<float>());
  const at::Tensor picture = read_pixels(list, index, model.config.data.exif_orientation);
  return {index, picture,
          predicted_mask(model, input, precision, picture.size(0), picture.size(1))};
}

int64_t segment(const Model& model, const ImageList& images, const EvaluationOptions& options,
                const std::function<void(const SegmentedPicture&)>& take) {
  LoaderOptions loading = loading_options(model, options);
  loading.fewest = 0;
  loading.any_damage = true;
  ImageList list = images;
  list.masks = nullptr;
  Loader loader(list, loading);
  loader.start_epoch(0, segment_eval_transform(model.config.data));
  int64_t unreadable = 0;
  while (const auto batch = loader.next()) {
    for (const auto& damaged : batch->damaged) {
      ++unreadable;
      take({damaged.index, {}, {}, damaged.message});
    }
    for (const int64_t index : batch->indices) {
      const auto picture = read_pixels(list, index, model.config.data.exif_orientation);
      take({index, picture,
            predicted_mask(model, batch->images, options.precision, picture.size(0),
                           picture.size(1)),
            ""});
    }
  }
  return unreadable;
}

}  // namespace mobileone
