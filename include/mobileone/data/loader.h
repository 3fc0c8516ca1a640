#pragma once

#include <ATen/core/Tensor.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mobileone/config/config.h"
#include "mobileone/data/batch_memory.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/image_pipeline.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/profile.h"

namespace mobileone {

/// An image that cannot be read, and why.
struct DamagedImage {
  int64_t index;  ///< in the image list
  std::string message;
};

struct Batch {
  at::Tensor images;  ///< float32 [N,C,S,S], channels last; used again when let go
  at::Tensor labels;  ///< int64 [N]; -1 where there are masks
  /// uint8 [N,S,S], kIgnored outside the picture; undefined where the set has none. With
  /// `original_annotations` [N,H,W], as they are stored.
  at::Tensor masks;
  /// What is in each of the N images, as they were cut or, with `original_annotations`, as they are
  /// stored; empty where the set has no boxes.
  std::vector<std::vector<Object>> objects;
  std::vector<Cut> cuts;              ///< of each of the N images
  std::vector<at::Tensor> targets;    ///< [N,...], what `Transform::targets` gives
  std::vector<int64_t> indices;       ///< N positions in the image list
  std::vector<DamagedImage> damaged;  ///< images that should be here, in the list's order
  int64_t number = 0;                 ///< position of the batch in its epoch, from 0
  /// What its worker's time went into: "read", "decode", "transform", "collate".
  std::vector<Profile::Entry> profile;
  /// Of each label; what is left belongs to the one in `other_labels`, which stands at the same
  /// place from the batch's end.
  double mixture_weight = 1;
  at::Tensor other_labels = {};  ///< int64 [N], of what each is mixed with; undefined if nothing is

  /// The i-th of `parts`, as `tensor_split` divides images.
  Batch part(int64_t i, int64_t parts) const;
};

/// What a process of a run takes of each epoch, of which all have the same batches.
struct BatchPart {
  int64_t rank = 0, size = 1;
  /// Every `size`th batch, whole, instead of a part of every batch. A part holds images that lie
  /// alike from the batch's beginning and from its end, since mixing pairs them.
  bool whole_batches = false;
};

/// The places, increasing, that a part has in a batch of `count` images.
std::vector<int64_t> places_in_batch(const BatchPart& part, int64_t count);

struct LoaderOptions {
  int64_t batch_size = 1;  ///< images, of all processes together
  int64_t workers = 1;     ///< threads
  int64_t prefetch = 1;    ///< batches finished or in work, beyond the one last handed out
  uint64_t seed = 0;
  bool shuffle = false;
  int64_t shuffle_buffer = 1;            ///< images; where the order of reading matters
  Sampler sampler = Sampler::kShuffled;  ///< what is drawn where it is shuffled
  bool drop_last = false;                ///< leave out an epoch's last batch where it is smaller
  BatchPart part = {};                   ///< of batches
  int64_t fewest = 1;                    ///< readable images without which a batch is left out
  bool any_damage = false;               ///< `Batch::damaged` is the caller's to tell and to limit
  ImagePipeline::Options images = {};    ///< how they are decoded and normalised
  EraseConfig erase = {};                ///< what is done to normalised images
  MixConfig mix = {};                    ///< and then to a batch of them
};

/// Options as `data` gives them; batch size, seed and order are the caller's.
LoaderOptions loader_options(const DataConfig& data);

/// Reads, transforms and batches the images of a list in worker threads of its own, which live as
/// long as it does. An epoch's order is drawn from (seed, epoch), a sample's augmentation from
/// (seed, epoch, index), where an image is drawn again from its repetition too, a batch's mixture
/// from (seed, epoch, its number): the batches are the same, bit for bit, whatever the number of
/// workers.
///
/// An image that cannot be read is left out of its batch (which may then be smaller, or missing if
/// fewer than `fewest` are left). Unless `any_damage`, `next` names it once, in a warning, when it
/// comes to its batch, and throws Error when more than 1 % of the list, and more than one image,
/// were found so. Where the system fails in a way that may pass, it throws SystemError instead.
///
/// Used by one thread.
class Loader {
 public:
  /// Throws Error if `drop_last` would leave no batch at all.
  Loader(ImageList list, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const ImageList& list() const { return list_; }
  /// Of all processes.
  int64_t batches_per_epoch() const;
  /// Positions in the list of the images found unreadable in the batches so far.
  const std::set<int64_t>& damaged() const { return damaged_; }
  /// Those that an earlier process has found; for a run that goes on.
  void set_damaged(std::set<int64_t> positions) { damaged_ = std::move(positions); }

  /// Begins an epoch at its batch `first_batch`; what is left of the epoch before is dropped.
  void start_epoch(int64_t epoch, Transform transform, int64_t first_batch = 0);

  /// The epoch's next batch; nothing at its end. Rethrows what was thrown in a worker.
  std::optional<Batch> next();

 private:
  /// What workers need to know of an epoch; they keep it alive while they work on it.
  struct Epoch {
    int64_t number;
    Transform transform;
    std::vector<int64_t> order;  // draws (epoch_order.h)
    std::stop_source abandoned;
  };
  struct Result {
    Batch batch;
    std::exception_ptr error;
  };

  void work(std::stop_token stop);
  Result make_result(const Epoch& epoch, int64_t batch_number, ImagePipeline& pipeline);
  Batch make_batch(const Epoch& epoch, int64_t batch_number, ImagePipeline& pipeline);
  void finish_batch(const Epoch& epoch, const std::vector<int64_t>& draws, Batch& batch) const;
  std::vector<int64_t> order_of(int64_t epoch) const;
  void note_damage(const DamagedImage& image);

  const ImageList list_;
  const LoaderOptions options_;
  BatchMemory memory_;

  std::set<int64_t> damaged_;

  std::mutex mutex_;  // guards all that follows
  std::condition_variable_any work_to_do_;
  std::condition_variable result_ready_;
  std::shared_ptr<Epoch> epoch_;
  int64_t to_start_ = 0;  // the batch that a worker takes next
  int64_t to_return_ = 0;
  std::map<int64_t, Result> results_;

  std::vector<std::jthread> workers_;  // last: joined before what they use is destroyed
};

}  // namespace mobileone
