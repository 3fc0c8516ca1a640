#include "mobileone/eval/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "mobileone/util/csv.h"

namespace mobileone {

std::vector<ConfusionCount> confusion_counts(const std::vector<ImageResult>& images) {
  std::map<std::pair<int64_t, int64_t>, int64_t> counted;
  for (const auto& image : images) ++counted[{image.label, image.prediction}];
  std::vector<ConfusionCount> counts;
  for (const auto& [pair, count] : counted) counts.push_back({pair.first, pair.second, count});
  return counts;
}

std::vector<ConfusedPair> most_confused(const std::vector<ImageResult>& images, size_t most) {
  const auto counts = confusion_counts(images);
  std::map<int64_t, int64_t> of_label;
  for (const auto& count : counts) of_label[count.label] += count.images;
  std::vector<ConfusedPair> pairs;
  for (const auto& count : counts) {
    if (count.label == count.prediction) continue;
    pairs.push_back({count, 100.0 * count.images / of_label[count.label]});
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.images > b.images; });
  pairs.resize(std::min(most, pairs.size()));
  return pairs;
}

std::vector<ClassScores> per_class(const std::vector<ImageResult>& images) {
  std::map<int64_t, int64_t> predicted;
  for (const auto& image : images) ++predicted[image.prediction];
  std::vector<ClassScores> scores;
  int64_t most = 0;  // of the last class's wrong predictions
  for (const auto& [label, prediction, count] : confusion_counts(images)) {
    if (scores.empty() || scores.back().label != label) {
      const auto found = predicted.find(label);
      scores.push_back({label, 0, found == predicted.end() ? 0 : found->second, 0, -1});
      most = 0;
    }
    ClassScores& entry = scores.back();
    entry.images += count;
    if (prediction == label) {
      entry.correct = count;
    } else if (count > most) {
      most = count;
      entry.mistaken_for = prediction;
    }
  }
  return scores;
}

MeanScores mean_scores(const std::vector<ImageResult>& images) {
  const auto classes = per_class(images);
  if (classes.empty()) return {};
  std::map<int64_t, int64_t> seen;  // those that have images or are predicted
  for (const auto& image : images) ++seen[image.label], ++seen[image.prediction];
  MeanScores sums;
  for (const auto& entry : classes) {
    sums.precision += entry.precision();
    sums.recall += entry.recall();
    sums.f1 += entry.f1();
  }
  const auto labels = static_cast<double>(classes.size()), all = static_cast<double>(seen.size());
  return {sums.recall / labels, sums.precision / all, sums.recall / all, sums.f1 / all};
}

std::string per_class_csv(const Evaluation& evaluation) {
  const auto& names = evaluation.class_names;
  std::string text = "class,images,correct,precision,recall,f1,most_often_taken_for\n";
  for (const auto& entry : per_class(evaluation.images)) {
    text += fmt::format("{},{},{},{:.2f},{:.2f},{:.2f},{}\n", csv_field(names[entry.label]),
                        entry.images, entry.correct, entry.precision(), entry.recall(), entry.f1(),
                        entry.mistaken_for < 0 ? "" : csv_field(names[entry.mistaken_for]));
  }
  return text;
}

std::string confused_pairs_csv(const Evaluation& evaluation) {
  const auto& names = evaluation.class_names;
  std::string text = "label,prediction,images,share\n";
  for (const auto& pair : most_confused(evaluation.images, evaluation.images.size())) {
    text += fmt::format("{},{},{},{:.2f}\n", csv_field(names[pair.label]),
                        csv_field(names[pair.prediction]), pair.images, pair.share);
  }
  return text;
}

std::string confusion_csv(const Evaluation& evaluation) {
  const auto& names = evaluation.class_names;
  const size_t classes = names.size();
  std::string text = "label";
  for (const auto& name : names) text += "," + csv_field(name);
  const auto counts = confusion_counts(evaluation.images);
  auto count = counts.begin();
  for (size_t row = 0; row < classes; ++row) {
    text += "\n" + csv_field(names[row]);
    std::vector<int64_t> images(classes);
    for (; count != counts.end() && count->label == static_cast<int64_t>(row); ++count) {
      images[count->prediction] = count->images;
    }
    for (const int64_t n : images) text += fmt::format(",{}", n);
  }
  return text + "\n";
}

}  // namespace mobileone
