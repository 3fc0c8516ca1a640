#include "mobileone/eval/evaluate.h"

#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "mobileone/data/class_match.h"
#include "mobileone/data/image.h"
#include "mobileone/data/image_pipeline.h"
#include "mobileone/util/error.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

std::string class_name(const Model& model, int64_t index) {
  return index < static_cast<int64_t>(model.class_names.size()) ? model.class_names[index]
                                                                : std::to_string(index);
}

/// The model's logits, checked to be [N,classes] for N images; `classes` 0: as many as there are.
torch::Tensor logits_of(const Model& model, const torch::Tensor& images, int64_t classes = 0) {
  const auto logits = model.forward(images);
  const bool fits = logits.dim() == 2 && logits.size(0) == images.size(0) && logits.size(1) > 0 &&
                    (classes == 0 || logits.size(1) == classes) && logits.is_floating_point();
  if (fits) return logits;
  throw Error("{}: gives an output of [{}] for {} image(s), expected logits [{}, {}]", model.origin,
              fmt::join(logits.sizes(), ", "), images.size(0), images.size(0),
              classes == 0 ? "classes" : std::to_string(classes));
}

/// How many logits the model gives, asked with one black image.
int64_t count_outputs(const Model& model) {
  torch::NoGradGuard no_grad;
  const int64_t crop = model.config.data.eval_crop;
  return logits_of(model, torch::zeros({1, 3, crop, crop}, model.device)).size(1);
}

/// The classes, in order, that a list has images of.
std::vector<int64_t> present_classes(const ImageList& list, int64_t classes) {
  std::vector<bool> has(static_cast<size_t>(classes));
  for (const int32_t label : list.labels) has[static_cast<size_t>(label)] = true;
  std::vector<int64_t> present;
  for (int64_t i = 0; i < classes; ++i) {
    if (has[static_cast<size_t>(i)]) present.push_back(i);
  }
  return present;
}

/// Logits in which no other class can win: as if there were none, and still finite.
torch::Tensor restricted(const torch::Tensor& logits, const std::vector<int64_t>& classes) {
  const auto kept = torch::tensor(classes, torch::dtype(torch::kLong).device(logits.device()));
  auto result = torch::full_like(logits, std::numeric_limits<float>::lowest(), torch::kFloat32);
  return result.index_copy_(1, kept, logits.index_select(1, kept).to(torch::kFloat32));
}

/// What the processes of a run have seen of a list's images, each of other ones.
class ImageResults {
 public:
  explicit ImageResults(int64_t images) : rows_(static_cast<size_t>(images) * kColumns) {}

  void add(int64_t index, int64_t prediction, double probability) {
    double* row = rows_.data() + static_cast<size_t>(index) * kColumns;
    row[0] = 1, row[1] = static_cast<double>(prediction), row[2] = probability;
  }

  /// Of all processes, in the list's order.
  std::vector<ImageResult> gather(const ImageList& list, const Workers& workers) const {
    const std::vector<double> all = workers.sums(rows_);
    std::vector<ImageResult> results;
    for (int64_t index = 0; index < list.size(); ++index) {
      const double* row = all.data() + static_cast<size_t>(index) * kColumns;
      if (row[0] == 0) continue;  // it could not be read
      results.push_back(
          {index, list.labels[static_cast<size_t>(index)], static_cast<int64_t>(row[1]), row[2]});
    }
    return results;
  }

 private:
  static constexpr size_t kColumns = 3;
  std::vector<double> rows_;  // zeros where another process knows
};

}  // namespace

Evaluation evaluate(const Model& model, const ImageList& images, const EvaluationOptions& options,
                    const Workers& workers) {
  const int64_t classes = count_outputs(model);
  const ImageList list = match_classes(images, {model.class_names, classes, model.origin});
  const std::vector<int64_t> present = present_classes(list, classes);
  const DataConfig& data = model.config.data;
  LoaderOptions loading = loader_options(data);
  loading.batch_size = options.batch_size;
  loading.workers = options.workers;
  loading.share = {.rank = workers.rank(), .size = workers.size(), .whole_batches = true};
  Loader loader(list, loading);

  Evaluation result;
  for (int64_t i = 0; i < classes; ++i) result.class_names.push_back(class_name(model, i));
  result.present = std::ssize(present);
  ImageResults seen(list.size());
  std::optional<Progress> progress;
  if (workers.first()) progress.emplace("evaluating", list.size(), "img");
  int64_t done = 0;
  const auto start = Progress::Clock::now();
  loader.start_epoch(0, eval_transform(data));
  const auto note = [&](const torch::Tensor& logits, const Batch& batch) {
    const auto predicted = logits.argmax(1, /*keepdim=*/true);
    const auto probabilities = logits.to(torch::kFloat64).softmax(1).gather(1, predicted);
    const auto prediction = predicted.accessor<int64_t, 2>();
    const auto probability = probabilities.accessor<double, 2>();
    for (int64_t i = 0; i < batch.labels.size(0); ++i) {
      seen.add(batch.indices[i], prediction[i][0], probability[i][0]);
    }
    done += batch.labels.size(0) * workers.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list.size()), "");
  };
  result.meter = evaluate_classification(
      [&](const torch::Tensor& input) {
        const auto logits = logits_of(model, input, classes);
        return options.restrict ? restricted(logits, present) : logits;
      },
      loader, model.device, workers, {.after = note});
  result.seconds = seconds_since(start);

  result.images = seen.gather(list, workers);
  result.damaged = list.size() - std::ssize(result.images);
  result.confusion = torch::zeros({classes, classes}, torch::kLong);
  auto counts = result.confusion.accessor<int64_t, 2>();
  for (const auto& image : result.images) ++counts[image.label][image.prediction];
  return result;
}

std::vector<Prediction> predict(const Model& model, const std::string& image_path, int64_t count) {
  torch::NoGradGuard no_grad;
  const DataConfig& data = model.config.data;
  Random random(0);
  const Transform transform = eval_transform(data);
  ImagePipeline pipeline(
      {.exif_orientation = data.exif_orientation, .mean = data.mean, .std = data.std});
  pipeline.decode(StoredImage(read_image_file(image_path)), image_path, transform, random);
  auto input =
      torch::empty({1, 3, data.eval_crop, data.eval_crop}, torch::MemoryFormat::ChannelsLast);
  pipeline.finish(transform, random, input.data_ptr<float>());
  const auto probabilities =
      logits_of(model, input.to(model.device)).to(torch::kCPU, torch::kFloat64).softmax(1)[0];
  const auto [best, indices] = probabilities.topk(std::min(count, probabilities.size(0)));
  std::vector<Prediction> predictions;
  for (int64_t i = 0; i < best.size(0); ++i) {
    const int64_t index = indices[i].item<int64_t>();
    predictions.push_back({index, class_name(model, index), best[i].item<double>()});
  }
  return predictions;
}

}  // namespace mobileone
