#include "mobileone/eval/mistakes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "mobileone/report/page.h"
#include "mobileone/util/csv.h"

namespace mobileone {

std::vector<ImageResult> mistakes(const Evaluation& evaluation) {
  std::vector<ImageResult> wrong;
  std::copy_if(evaluation.images.begin(), evaluation.images.end(), std::back_inserter(wrong),
               [](const ImageResult& image) { return image.prediction != image.label; });
  const auto key = [](const ImageResult& image) {
    return std::isfinite(image.probability) ? image.probability : -1;
  };
  std::stable_sort(wrong.begin(), wrong.end(),
                   [&](const ImageResult& a, const ImageResult& b) { return key(a) > key(b); });
  return wrong;
}

std::string mistakes_csv(const Evaluation& evaluation, const ImageList& list) {
  std::string text = "path,label,prediction,probability\n";
  for (const auto& image : mistakes(evaluation)) {
    text += fmt::format("{},{},{},{:.6f}\n", csv_field(list.name(image.index)),
                        csv_field(evaluation.class_names[image.label]),
                        csv_field(evaluation.class_names[image.prediction]), image.probability);
  }
  return text;
}

std::string mistakes_page(const Evaluation& evaluation, const ImageList& list,
                          const std::vector<std::string>& thumbnails) {
  const auto wrong = mistakes(evaluation);
  std::vector<Card> cards;
  for (size_t i = 0; i < std::min(thumbnails.size(), wrong.size()); ++i) {
    const std::string& prediction = evaluation.class_names[wrong[i].prediction];
    const std::string probability = std::isfinite(wrong[i].probability)
                                        ? fmt::format("{:.1f} %", 100 * wrong[i].probability)
                                        : "logits not finite";
    cards.push_back(
        {thumbnails[i],
         {fmt::format("{}, {}", prediction, probability),
          "label: " + evaluation.class_names[wrong[i].label], list.name(wrong[i].index)}});
  }
  const std::string summary = fmt::format(
      "{} of {} images of {} are taken for another class. Shown: {}, the most "
      "confident first, with prediction, its probability, and label.",
      wrong.size(), evaluation.images.size(), list.origin, cards.size());
  return html::page("Worst mistakes", html::paragraph(summary) + html::contact_sheet(cards) +
                                          html::link("report.html", "The whole evaluation"));
}

}  // namespace mobileone
