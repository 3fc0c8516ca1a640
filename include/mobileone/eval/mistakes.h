#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"
#include "mobileone/eval/evaluate.h"

namespace mobileone {

/// The wrongly classified images, the most confidently wrong first; those whose logits are not
/// finite last.
std::vector<ImageResult> mistakes(const Evaluation& evaluation);

/// path,label,prediction,probability of each mistake, with class names; as CSV with a header.
std::string mistakes_csv(const Evaluation& evaluation, const ImageList& list);

/// A contact sheet of the first mistakes, one per thumbnail: the bytes of a JPEG file, empty where
/// there is none.
std::string mistakes_page(const Evaluation& evaluation, const ImageList& list,
                          const std::vector<std::string>& thumbnails);

}  // namespace mobileone
