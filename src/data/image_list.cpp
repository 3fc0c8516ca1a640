#include "mobileone/data/image_list.h"

#include <c10/util/hash.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "mobileone/data/image.h"
#include "mobileone/util/error.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace {

StoredImage read_patiently(const ImageStorage& storage, int64_t index) {
  using std::chrono::milliseconds;
  // Too few descriptors for a moment, a file server that is slow to answer, ...
  for (const milliseconds pause : {milliseconds(10), milliseconds(100), milliseconds(1000)}) {
    try {
      return storage.read(index);
    } catch (const SystemError& error) {
      if (!error.may_pass()) throw;
    }
    std::this_thread::sleep_for(pause);
  }
  return storage.read(index);
}

}  // namespace

StoredImage ImageList::read(int64_t index) const { return read_patiently(*storage, index); }

StoredImage ImageList::read_mask(int64_t index) const { return read_patiently(*masks, index); }

Annotation ImageList::annotation(int64_t index) const {
  Annotation annotation{.label = labels[index]};
  if (objects) {
    const auto own = objects->of(index);
    annotation.objects.assign(own.begin(), own.end());
  }
  if (!masks) return annotation;
  const StoredImage stored = read_mask(index);
  if (stored.is_decoded()) {
    annotation.mask = stored.pixels();
    require_mask_labels(annotation.mask, mask_labels.num_classes, masks->name(index));
  } else {
    annotation.mask = decode_index_mask(stored.bytes(), masks->name(index), mask_labels);
  }
  return annotation;
}

at::Tensor read_pixels(const ImageList& list, int64_t index, bool upright) {
  const StoredImage image = list.read(index);
  if (image.is_decoded()) return image.pixels();
  return decode_image(image.bytes(), list.name(index), upright);
}

std::string fingerprint(const ImageList& list) {
  std::string text;
  for (int64_t i = 0; i < list.size(); ++i) {
    text += fmt::format("{} {}\n", list.labels[i], list.storage->relative_name(i));
  }
  return c10::sha1(text).str();
}

std::string sizes_fingerprint(const ImageList& list) {
  constexpr int64_t kMost = 16384;
  const int64_t count = std::min(list.size(), kMost);
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    const auto size = list.storage->file_size(i * list.size() / count);
    if (!size) return "";
    text += fmt::format("{}\n", *size);
  }
  return c10::sha1(text).str();
}

void require_few_damaged(const ImageList& list, int64_t damaged, const std::string& last) {
  if (damaged <= std::max<int64_t>(1, list.size() / 100)) return;
  throw Error("{}: {} of {} images cannot be read, more than 1 %{}", list.origin, damaged,
              list.size(), last.empty() ? "" : "; the last: " + last);
}

void require_labels_below(const ImageList& list, int64_t num_classes) {
  for (int64_t i = 0; i < list.size(); ++i) {
    if (list.labels[i] >= num_classes) {
      throw Error("{}: label {} of {} is out of range: the network has {} classes (0 to {})",
                  list.origin, list.labels[i], list.name(i), num_classes, num_classes - 1);
    }
  }
}

}  // namespace mobileone
