#include "mobileone/eval/predict.h"

#include <torch/types.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "logits.h"
#include "mobileone/data/loader.h"

namespace mobileone {
namespace {

/// Of each image of a batch, by its place in the list.
std::vector<std::pair<int64_t, PredictedImage>> predicted_batch(const Model& model,
                                                                const Batch& batch, int64_t count,
                                                                Precision precision) {
  std::vector<std::pair<int64_t, PredictedImage>> predicted;
  for (const auto& image : batch.damaged)
    predicted.push_back({image.index, {"", {}, image.message}});
  if (batch.indices.empty()) return predicted;
  const auto probabilities =
      logits_of(model, batch.images, precision).to(torch::kFloat64).softmax(1);
  const auto [best, classes] = probabilities.topk(std::min(count, probabilities.size(1)), 1);
  const auto probability = best.accessor<double, 2>();
  const auto index = classes.accessor<int64_t, 2>();
  for (int64_t i = 0; i < std::ssize(batch.indices); ++i) {
    PredictedImage image;
    for (int64_t rank = 0; rank < best.size(1); ++rank) {
      image.classes.push_back(
          {index[i][rank], class_name_of(model, index[i][rank]), probability[i][rank]});
    }
    predicted.emplace_back(batch.indices[i], std::move(image));
  }
  std::sort(predicted.begin(), predicted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return predicted;
}

}  // namespace

int64_t predict(const Model& model, const ImageList& images, int64_t count,
                const EvaluationOptions& options,
                const std::function<void(const PredictedImage&)>& take) {
  const DataConfig& data = model.config.data;
  LoaderOptions loading = loader_options(data);
  loading.batch_size = options.batch_size;
  loading.workers = options.workers;
  loading.fewest = 0;
  loading.any_damage = true;
  Loader loader(images, loading);
  loader.start_epoch(0, eval_transform(data));
  int64_t unreadable = 0;
  while (const auto batch = loader.next()) {
    unreadable += std::ssize(batch->damaged);
    for (auto& [index, image] : predicted_batch(model, *batch, count, options.precision)) {
      image.name = images.name(index);
      take(image);
    }
  }
  return unreadable;
}

}  // namespace mobileone
