#include "mobileone/data/loading_speed.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "mobileone/util/process.h"

namespace mobileone {
namespace {

/// The images of a list again and again.
class RepeatedStorage : public ImageStorage {
 public:
  RepeatedStorage(std::shared_ptr<const ImageStorage> images, int64_t count)
      : images_(std::move(images)), count_(count) {}

  std::string name(int64_t index) const override { return images_->name(index % count_); }
  std::string relative_name(int64_t index) const override {
    return images_->relative_name(index % count_);
  }
  StoredImage read(int64_t index) const override { return images_->read(index % count_); }

 private:
  std::shared_ptr<const ImageStorage> images_;
  int64_t count_;
};

ObjectTable repeated(const ObjectTable& table, int64_t images) {
  ObjectTable result;
  for (int64_t i = 0; i < images; ++i) {
    const auto own = table.of(i % std::ssize(table.ends));
    result.objects.insert(result.objects.end(), own.begin(), own.end());
    result.ends.push_back(std::ssize(result.objects));
  }
  return result;
}

/// The images of a list again and again, `images` in all.
ImageList repeated(const ImageList& list, int64_t images) {
  const auto repeat = [&](const auto& storage) {
    return std::make_shared<RepeatedStorage>(storage, list.size());
  };
  ImageList result = list;
  result.storage = repeat(list.storage);
  if (list.masks) result.masks = repeat(list.masks);
  if (list.objects) {
    result.objects = std::make_shared<ObjectTable>(repeated(*list.objects, images));
  }
  result.labels.clear();
  for (int64_t i = 0; i < images; ++i) result.labels.push_back(list.labels[i % list.size()]);
  return result;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void add(std::vector<Profile::Entry>& parts, const Profile::Entry& entry) {
  auto part = std::find_if(parts.begin(), parts.end(),
                           [&](const Profile::Entry& p) { return p.kind == entry.kind; });
  if (part == parts.end()) part = parts.insert(part, Profile::Entry{entry.kind});
  part->calls += entry.calls;
  part->seconds += entry.seconds;
}

}  // namespace

LoadingSpeed measure_loading(const ImageList& list, LoaderOptions options,
                             const Transform& transform, int64_t images, int64_t rounds) {
  using Clock = std::chrono::steady_clock;
  const int64_t warm_up = options.prefetch + options.workers;
  // What lies ready when a round begins must not matter.
  const int64_t batches =
      std::max((images + options.batch_size - 1) / options.batch_size, 4 * warm_up);
  options.drop_last = true;
  // As many are begun behind the last one measured, so that all workers have work until then.
  Loader loader(repeated(list, options.batch_size * (2 * warm_up + rounds * batches)), options);
  loader.start_epoch(0, transform);
  for (int64_t i = 0; i < warm_up; ++i) loader.next();

  LoadingSpeed speed;
  std::vector<double> rates, rates_per_core;
  for (int64_t round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    const double processor_start = processor_seconds();
    int64_t count = 0;
    for (int64_t i = 0; i < batches; ++i) {
      const auto batch = loader.next();
      if (!batch) break;
      count += std::ssize(batch->indices);
      for (const auto& entry : batch->profile) add(speed.parts, entry);
    }
    const std::chrono::duration<double> passed = Clock::now() - start;
    rates.push_back(static_cast<double>(count) / passed.count());
    rates_per_core.push_back(static_cast<double>(count) / (processor_seconds() - processor_start));
    speed.images += count;
  }
  speed.images_per_second = median(std::move(rates));
  speed.images_per_second_per_core = median(std::move(rates_per_core));
  return speed;
}

}  // namespace mobileone
