#include "mobileone/eval/evaluate.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "logits.h"
#include "mobileone/data/class_match.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/seconds.h"

namespace mobileone {
namespace {

/// How many logits the model gives, asked with one black image.
int64_t count_outputs(const Model& model, Precision precision) {
  const int64_t crop = model.config.data.eval_crop, channels = std::ssize(model.config.data.mean);
  return logits_of(model, torch::zeros({1, channels, crop, crop}), precision).size(1);
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
  std::vector<ImageResult> gather(const ImageList& list, const Processes& processes) const {
    const std::vector<double> all = processes.sums(rows_);
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
                    const Processes& processes) {
  const int64_t classes = count_outputs(model, options.precision);
  const ImageList list = match_classes(images, {model.class_names, classes, model.origin});
  const std::vector<int64_t> present = present_classes(list, classes);
  const DataConfig& data = model.config.data;
  LoaderOptions loading = loader_options(data);
  loading.batch_size = options.batch_size;
  loading.workers = options.workers;
  loading.part = {.rank = processes.rank(), .size = processes.size(), .whole_batches = true};
  Loader loader(list, loading);

  Evaluation result;
  for (int64_t i = 0; i < classes; ++i) result.class_names.push_back(class_name_of(model, i));
  result.present = std::ssize(present);
  ImageResults seen(list.size());
  std::optional<Progress> progress;
  if (processes.first()) progress.emplace("evaluating", list.size(), "img");
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
    done += batch.labels.size(0) * processes.size();  // the others have done about as many
    if (progress) progress->update(std::min(done, list.size()), "");
  };
  result.meter = evaluate_classification(
      [&](const torch::Tensor& input) {
        const auto logits = logits_of(model, input, options.precision, classes);
        return options.restrict ? restricted(logits, present) : logits;
      },
      loader, model.device, processes, {.after = note});
  result.seconds = seconds_since(start);

  result.images = seen.gather(list, processes);
  result.damaged = list.size() - std::ssize(result.images);
  return result;
}

}  // namespace mobileone
