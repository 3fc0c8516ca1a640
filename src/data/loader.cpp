#include "mobileone/data/loader.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "mobileone/data/epoch_order.h"
#include "mobileone/data/erase.h"
#include "mobileone/data/mix.h"
#include "mobileone/util/log.h"
#include "mobileone/util/system_error.h"

// LibTorch brings an OpenMP runtime; weak, so that this folder need not be linked with one.
extern "C" __attribute__((weak)) void omp_set_num_threads(int);

namespace mobileone {
namespace {

/// The last keys of the streams that images' erasing and batches' mixing draw from.
enum : uint64_t { kErasing = 1, kMixing = 2 };

/// Keeps ATen from starting a pool of OpenMP threads for each worker. at::set_num_threads would
/// change the whole process; OpenMP's number is the thread's own, but ATen sets it when the thread
/// first asks for it, so it has to ask before.
void stay_single_threaded() {
  at::get_num_threads();
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
}

/// From one batch of a part to its next.
int64_t stride_of(const BatchPart& part) { return part.whole_batches ? part.size : 1; }

StoredImage read(const ImageList& list, int64_t index) {
  const Span span("read");
  return list.read(index);
}

Annotation read_annotation(const ImageList& list, int64_t index) {
  if (!list.masks) return list.annotation(index);
  const Span span("mask");
  return list.annotation(index);
}

/// Throws Error unless an image, or mask, is as large as those before it in a batch [N,...].
void require_size(const at::Tensor& batch, int64_t height, int64_t width, const char* what,
                  const std::string& name) {
  const int64_t rows = batch.size(-2), columns = batch.size(-1);
  if (rows == height && columns == width) return;
  throw Error("{}: {} has {} x {} pixels, others of its batch {} x {}; take batches of one image",
              name, what, width, height, columns, rows);
}

/// Puts what one image is trained towards in place `slot` of a batch of `count`.
void add_targets(const std::vector<at::Tensor>& own, int64_t count, int64_t slot,
                 std::vector<at::Tensor>& targets) {
  const Span span("collate");
  for (size_t i = 0; i < own.size(); ++i) {
    if (targets.size() == i) {
      std::vector<int64_t> sizes = own[i].sizes().vec();
      sizes.insert(sizes.begin(), count);
      targets.push_back(at::empty(sizes, own[i].options()));
    }
    targets[i][slot].copy_(own[i]);
  }
}

}  // namespace

Batch Batch::part(int64_t i, int64_t parts) const {
  const auto of = [&](const at::Tensor& all) {
    return all.defined() ? all.tensor_split(parts)[i] : all;
  };
  Batch result;
  result.images = of(images);
  result.labels = of(labels);
  result.masks = of(masks);
  result.other_labels = of(other_labels);
  for (const auto& target : targets) result.targets.push_back(of(target));
  const int64_t count = std::ssize(indices), small = count / parts, larger = count % parts;
  const int64_t begin = i * small + std::min(i, larger), end = begin + small + (i < larger ? 1 : 0);
  const auto each_of = [&](const auto& all) {
    return std::decay_t<decltype(all)>(all.begin() + begin, all.begin() + end);
  };
  result.indices = each_of(indices);
  if (!cuts.empty()) result.cuts = each_of(cuts);
  if (!objects.empty()) result.objects = each_of(objects);
  result.number = number;
  result.mixture_weight = mixture_weight;
  return result;
}

std::vector<int64_t> places_in_batch(const BatchPart& part, int64_t count) {
  const bool all = part.whole_batches;
  const int64_t pairs = count / 2, begin = all ? 0 : pairs * part.rank / part.size,
                end = all ? pairs : pairs * (part.rank + 1) / part.size;
  std::vector<int64_t> places;
  for (int64_t i = begin; i < end; ++i) places.push_back(i);
  if (count % 2 == 1 && (all || part.rank + 1 == part.size)) places.push_back(pairs);
  for (int64_t i = end; i-- > begin;) places.push_back(count - 1 - i);
  return places;
}

LoaderOptions loader_options(const DataConfig& data) {
  LoaderOptions options;
  options.workers = data.workers;
  options.prefetch = data.prefetch;
  options.shuffle_buffer = data.shuffle_buffer;
  options.images = {.exif_orientation = data.exif_orientation, .mean = data.mean, .std = data.std};
  return options;
}

Loader::Loader(ImageList list, const LoaderOptions& options)
    : list_(std::move(list)), options_(options) {
  TORCH_CHECK(options.workers > 0 && options.prefetch > 0, "a loader needs workers and prefetch");
  if (batches_per_epoch() == 0) {
    throw Error("schedule.batch_size {} is larger than the {} images of {}; lower it",
                options_.batch_size, list_.size(), list_.origin);
  }
  for (int64_t i = 0; i < options_.workers; ++i) {
    workers_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
  }
}

Loader::~Loader() {
  if (epoch_) epoch_->abandoned.request_stop();
  for (auto& worker : workers_) worker.request_stop();
}

int64_t Loader::batches_per_epoch() const {
  const int64_t images = list_.size();
  const int64_t extra = options_.drop_last ? 0 : options_.batch_size - 1;
  return (images + extra) / options_.batch_size;
}

std::vector<int64_t> Loader::order_of(int64_t epoch) const {
  if (!options_.shuffle) return stored_order(list_);
  Random random(options_.seed, {static_cast<uint64_t>(epoch)});
  return options_.sampler == Sampler::kBalanced
             ? balanced_order(list_, random)
             : shuffled_order(list_, options_.shuffle_buffer, random);
}

void Loader::start_epoch(int64_t epoch, Transform transform, int64_t first_batch) {
  auto next_epoch =
      std::make_shared<Epoch>(epoch, std::move(transform), order_of(epoch), std::stop_source());
  {
    const std::lock_guard lock(mutex_);
    if (epoch_) epoch_->abandoned.request_stop();
    epoch_ = std::move(next_epoch);
    to_start_ = to_return_ = first_batch + (options_.part.whole_batches ? options_.part.rank : 0);
    results_.clear();
  }
  work_to_do_.notify_all();
}

std::optional<Batch> Loader::next() {
  while (true) {
    Result result;
    {
      std::unique_lock lock(mutex_);
      if (!epoch_ || to_return_ >= batches_per_epoch()) return std::nullopt;
      result_ready_.wait(lock, [&] { return results_.contains(to_return_); });
      result = std::move(results_.extract(to_return_).mapped());
      to_return_ += stride_of(options_.part);
    }
    work_to_do_.notify_one();
    if (result.error) std::rethrow_exception(result.error);
    for (const auto& image : result.batch.damaged) note_damage(image);
    if (std::ssize(result.batch.indices) >= options_.fewest) return std::move(result.batch);
  }
}

void Loader::work(std::stop_token stop) {
  stay_single_threaded();
  ImagePipeline pipeline(options_.images);
  const auto has_work = [this] {
    return epoch_ && to_start_ < batches_per_epoch() &&
           to_start_ - to_return_ < options_.prefetch * stride_of(options_.part);
  };
  std::unique_lock lock(mutex_);
  while (work_to_do_.wait(lock, stop, has_work) && !stop.stop_requested()) {
    const std::shared_ptr<Epoch> epoch = epoch_;
    const int64_t batch_number = to_start_;
    to_start_ += stride_of(options_.part);
    lock.unlock();
    Result result = make_result(*epoch, batch_number, pipeline);
    lock.lock();
    if (epoch == epoch_) {
      results_.emplace(batch_number, std::move(result));
      result_ready_.notify_one();
    }
  }
}

Loader::Result Loader::make_result(const Epoch& epoch, int64_t batch_number,
                                   ImagePipeline& pipeline) {
  try {
    Profile profile;
    Batch batch = make_batch(epoch, batch_number, pipeline);
    batch.profile = profile.entries();
    return {std::move(batch), nullptr};
  } catch (...) {
    return {{}, std::current_exception()};
  }
}

/// Cut short, and then not used, when the epoch is abandoned.
Batch Loader::make_batch(const Epoch& epoch, int64_t batch_number, ImagePipeline& pipeline) {
  const int64_t begin = batch_number * options_.batch_size;
  const int64_t end =
      std::min(begin + options_.batch_size, static_cast<int64_t>(epoch.order.size()));
  const std::vector<int64_t> places = places_in_batch(options_.part, end - begin);
  Batch batch;
  batch.number = batch_number;
  std::vector<int64_t> labels, draws;
  for (const int64_t place : places) {
    if (epoch.abandoned.stop_requested()) break;
    const int64_t draw = epoch.order[begin + place], index = draw % list_.size();
    Random random(options_.seed,
                  {static_cast<uint64_t>(epoch.number), static_cast<uint64_t>(draw)});
    try {
      pipeline.decode(read(list_, index), list_.name(index), epoch.transform, random,
                      read_annotation(list_, index));
    } catch (const Error& error) {
      if (may_pass(error)) throw;  // nothing is wrong with the image
      batch.damaged.push_back({index, error.what()});
      continue;
    }
    const int64_t height = pipeline.height(), width = pipeline.width();
    const int64_t channels = pipeline.channels();
    if (!batch.images.defined()) {
      const Span span("collate");
      batch.images = memory_.take(std::ssize(places), channels, height, width);
    }
    require_size(batch.images, height, width, "the image", list_.name(index));
    const int64_t slot = std::ssize(labels);
    pipeline.finish(epoch.transform, random,
                    batch.images.mutable_data_ptr<float>() + slot * channels * height * width);
    if (const at::Tensor& mask = pipeline.annotation().mask; mask.defined()) {
      const Span span("collate");
      if (!batch.masks.defined()) {
        batch.masks = at::empty({std::ssize(places), mask.size(0), mask.size(1)}, at::kByte);
      }
      require_size(batch.masks, mask.size(0), mask.size(1), "the mask", list_.name(index));
      batch.masks[slot].copy_(mask);
    }
    if (list_.objects) batch.objects.push_back(pipeline.annotation().objects);
    if (epoch.transform.targets) {
      add_targets(epoch.transform.targets(pipeline.annotation(), height, width), std::ssize(places),
                  slot, batch.targets);
    }
    batch.cuts.push_back(pipeline.cut());
    labels.push_back(list_.labels[index]);
    batch.indices.push_back(index);
    draws.push_back(draw);
  }
  if (!labels.empty()) batch.images = batch.images.narrow(0, 0, labels.size());
  if (batch.masks.defined()) batch.masks = batch.masks.narrow(0, 0, labels.size());
  for (auto& target : batch.targets) target = target.narrow(0, 0, labels.size());
  batch.labels = at::tensor(labels, at::kLong);
  finish_batch(epoch, draws, batch);
  return batch;
}

/// What is done to normalised images. Draws from streams of its own.
void Loader::finish_batch(const Epoch& epoch, const std::vector<int64_t>& draws,
                          Batch& batch) const {
  const auto images = static_cast<int64_t>(batch.indices.size());
  const auto number = static_cast<uint64_t>(epoch.number);
  for (int64_t i = 0; options_.erase.probability > 0 && i < images; ++i) {
    Random random(options_.seed, {number, static_cast<uint64_t>(draws[i]), kErasing});
    erase_randomly(options_.erase, batch.images[i], random);
  }
  if (images == 0 || (options_.mix.mixup == 0 && options_.mix.cutmix == 0)) return;
  Random random(options_.seed, {number, static_cast<uint64_t>(batch.number), kMixing});
  const Mixture mixture =
      random_mixture(options_.mix, batch.images.size(2), batch.images.size(3), random);
  mix_images(mixture, batch.images);
  batch.mixture_weight = mixture.weight;
  batch.other_labels = batch.labels.flip(0);
}

void Loader::note_damage(const DamagedImage& image) {
  if (options_.any_damage || !damaged_.insert(image.index).second) return;
  require_few_damaged(list_, std::ssize(damaged_), image.message);
  log::warning("left out: {}", image.message);
}

}  // namespace mobileone
