#include "mobileone/data/tar_shards.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>

#include "mobileone/data/shard_index.h"
#include "mobileone/data/tar_reader.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/name_table.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

class ShardStorage : public ImageStorage {
 public:
  explicit ShardStorage(std::vector<std::string> files) : files_(std::move(files)) {}

  void add(const ShardIndex& index) {
    starts_.push_back(std::ssize(places_));
    states_.push_back({index.size, index.modified});
    for (int64_t i = 0; i < std::ssize(index.images); ++i) {
      places_.push_back({index.images[i].offset, index.images[i].size,
                         static_cast<uint32_t>(starts_.size() - 1)});
      names_.add(index.names[i]);
    }
    open_.resize(starts_.size());
  }

  std::string name(int64_t index) const override {
    return files_[places_[index].shard] + " > " + one_line(names_[index]);
  }

  std::string relative_name(int64_t index) const override {
    const fs::path file = files_[places_[index].shard];
    return file.filename().string() + " > " + std::string(names_[index]);
  }

  std::vector<int64_t> stretches() const override { return starts_; }

  std::optional<uint64_t> file_size(int64_t index) const override { return places_[index].size; }

  StoredImage read(int64_t index) const override {
    const Place& place = places_[index];
    const auto file = open(place.shard);
    struct stat status;
    const bool is_same = *file && ::fstat(file->get(), &status) == 0 &&
                         static_cast<uint64_t>(status.st_size) == states_[place.shard].size &&
                         modified(status) == states_[place.shard].modified;
    std::string bytes;
    if (is_same) bytes = read_at(*file, place.offset, place.size, files_[place.shard]);
    if (!is_same || bytes.size() < place.size) {
      throw Error("{}: the shard was changed or removed while it was in use", name(index));
    }
    return StoredImage(std::move(bytes));
  }

 private:
  struct Place {
    uint64_t offset;
    uint32_t size;
    uint32_t shard;
  };
  struct State {
    uint64_t size;
    int64_t modified;
  };

  static int64_t modified(const struct stat& status) {
    return status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  }

  /// The shard's file, which is kept open until many others have been opened.
  std::shared_ptr<const Descriptor> open(uint32_t shard) const {
    constexpr size_t kMostOpen = 64;
    const std::lock_guard lock(mutex_);
    if (!open_[shard]) {
      open_[shard] =
          std::make_shared<const Descriptor>(::open(files_[shard].c_str(), O_RDONLY | O_CLOEXEC));
      in_order_of_opening_.push_back(shard);
      if (in_order_of_opening_.size() > kMostOpen) {
        open_[in_order_of_opening_.front()].reset();
        in_order_of_opening_.pop_front();
      }
    }
    return open_[shard];
  }

  std::vector<std::string> files_;
  std::vector<State> states_;
  std::vector<int64_t> starts_;
  std::vector<Place> places_;
  NameTable names_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<std::shared_ptr<const Descriptor>> open_;
  mutable std::deque<uint32_t> in_order_of_opening_;
};

/// The lines of classes.txt beside a shard, if it is there.
std::vector<std::string> class_names_beside(const fs::path& shard) {
  const fs::path path = shard.parent_path() / "classes.txt";
  if (!fs::exists(path)) return {};
  const std::string text = read_file(path);
  std::vector<std::string> names;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    names.emplace_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    if (names.back().empty()) {
      throw Error("{}:{}: is empty (expected the name of class {})", path.string(), names.size(),
                  names.size() - 1);
    }
  }
  return names;
}

/// Throws Error unless each label has a name, if there are any.
void require_names(const ImageList& list) {
  const int64_t names = std::ssize(list.class_names);
  for (int64_t i = 0; names > 0 && i < list.size(); ++i) {
    if (list.labels[i] < names) continue;
    throw Error("{}: has label {}, but classes.txt names {} classes only (0 to {})", list.name(i),
                list.labels[i], names, names - 1);
  }
}

}  // namespace

ImageList read_shards(const std::string& path) {
  const std::vector<std::string> files = shard_files(path);
  auto storage = std::make_shared<ShardStorage>(files);
  ImageList list{path, class_names_beside(files.front()), {}, storage};
  int64_t without_image = 0;
  std::string first_without_image;
  const int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 16);
  in_order(
      0, std::ssize(files), threads, [&](int64_t i) { return index_shard(files[i]); },
      [&](int64_t, const ShardIndex& index) {
        for (const ImageInShard& image : index.images) list.labels.push_back(image.label);
        storage->add(index);
        if (without_image == 0) first_without_image = index.first_without_image;
        without_image += index.without_image;
      });
  if (list.labels.empty()) {
    throw Error("{}: holds no images (expected samples such as 0001.jpg and 0001.cls)", path);
  }
  require_names(list);
  if (without_image > 0) {
    log::warning("{}: {} samples without an image are left out, the first: {}", path, without_image,
                 first_without_image);
  }
  return list;
}

}  // namespace mobileone
