#include "mobileone/data/image_pipeline.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "mobileone/data/box_cut.h"
#include "mobileone/data/exif.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/kernels/levels.h"
#include "mobileone/util/profile.h"

namespace mobileone {

ImagePipeline::ImagePipeline(const Options& options)
    : options_(options), levels_(level_table(options.mean, options.std)) {}

int ImagePipeline::eighths(const Cut& cut) const {
  if (options_.decoding != Decoding::kScaled) return 8;
  for (const int scale : {1, 2, 4}) {
    if (cut.box.height * scale >= 8 * cut.height && cut.box.width * scale >= 8 * cut.width) {
      return scale;
    }
  }
  return 8;
}

void ImagePipeline::decode(const StoredImage& stored, const std::string& name,
                           const Transform& transform, Random& random, Annotation annotation) {
  const Span span("decode");
  annotation_ = std::move(annotation);
  if (stored.is_decoded()) {
    whole_ = stored.pixels();
    take_whole(name, transform, random);
  } else {
    decode_file(stored.bytes(), name, transform, random);
  }
  if (channels() == 1) take_grey();
}

void ImagePipeline::decode_file(std::string_view bytes, const std::string& name,
                                const Transform& transform, Random& random) {
  const bool turned = options_.exif_orientation && exif_orientation(bytes) != 1;
  if (options_.decoding != Decoding::kWhole && is_jpeg(bytes) && !turned) {
    JpegFile file(bytes, name);
    if (file.has_boxes()) {
      choose_cut(file.height(), file.width(), name, transform, random);
      patch_ = file.decode_box(cut_.box, eighths(cut_), memory_);
      return;
    }
    whole_ = file.decode();
  } else {
    whole_ = decode_image(bytes, name, options_.exif_orientation);
  }
  take_whole(name, transform, random);
}

void ImagePipeline::choose_cut(int64_t height, int64_t width, const std::string& name,
                               const Transform& transform, Random& random) {
  require_mask_size(annotation_.mask, height, width, name);
  cut_ = transform.cut(height, width, annotation_, random);
}

void ImagePipeline::take_whole(const std::string& name, const Transform& transform,
                               Random& random) {
  choose_cut(whole_.size(0), whole_.size(1), name, transform, random);
  patch_ = patch_of(crop(whole_, cut_.box));
}

void ImagePipeline::take_grey() {
  const int64_t stride = 3 * patch_.columns;
  if (std::ssize(grey_) < patch_.rows * stride) grey_.resize(patch_.rows * stride);
  for (int64_t row = 0; row < patch_.rows; ++row) {
    kernels::blend_with_luma(patch_.pixels + row * patch_.stride, patch_.columns, /*factor=*/0,
                             grey_.data() + row * stride);
  }
  patch_.pixels = grey_.data();
  patch_.stride = stride;
}

void ImagePipeline::finish(const Transform& transform, Random& random, float* out) {
  const Span span("transform");
  if (!options_.original_annotations) {
    if (annotation_.mask.defined()) annotation_.mask = cut_mask(cut_, annotation_.mask);
    annotation_.objects = cut_objects(cut_, annotation_.objects);
  }
  const auto normalize_rows = [&](const uint8_t* rows, int64_t count) {
    normalize(rows, count * width(), levels_, out);
    out += channels() * count * width();
  };
  if (!transform.augment) {
    resizer_(patch_, cut_, normalize_rows);
    return;
  }
  const at::Tensor window = at::empty({height(), width(), 3}, at::kByte);
  uint8_t* next = window.mutable_data_ptr<uint8_t>();
  resizer_(patch_, cut_, [&](const uint8_t* rows, int64_t count) {
    next = std::copy_n(rows, 3 * count * width(), next);
  });
  Sample sample{window, std::move(annotation_)};
  transform.augment(sample, random);
  TORCH_CHECK(sample.image.sizes() == window.sizes(), "augmentation changed an image's size");
  annotation_ = std::move(sample.annotation);
  normalize_rows(sample.image.const_data_ptr<uint8_t>(), height());
}

}  // namespace mobileone
