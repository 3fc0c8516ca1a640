#include "mobileone/data/tar_shards.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>

#include "mobileone/data/labels.h"
#include "mobileone/data/left_out.h"
#include "mobileone/data/shard_index.h"
#include "mobileone/data/tar_reader.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/name_table.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/system_error.h"
#include "unpacked_shards.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// The files of shards. May be read by several threads at once.
class ShardFiles {
 public:
  explicit ShardFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  UnpackedShards& unpacked() { return unpacked_; }
  const std::string& path(uint32_t shard) const { return paths_[shard]; }

  /// The next shard, as it is now.
  void add(const ShardIndex& index) {
    states_.push_back({index.size, index.modified});
    open_.resize(states_.size());
  }

  /// The bytes of a member, which `name` stands for in messages.
  std::string read(uint32_t shard, uint64_t offset, uint32_t size, const std::string& name) const {
    const auto changed = [&] {
      return SystemError(ENOENT, "{}: the shard was changed or removed while it was in use", name);
    };
    const auto file = open(shard, name);
    if (!file) throw changed();
    if (!is_compressed(paths_[shard]) && state_of(*file, name) != states_[shard]) throw changed();
    std::string bytes = read_at(*file, offset, size, paths_[shard]);
    if (bytes.size() < size) throw changed();
    return bytes;
  }

 private:
  struct State {
    uint64_t size;
    int64_t modified;
    bool operator==(const State&) const = default;
  };

  static State state_of(const Descriptor& file, const std::string& name) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0) throw unreadable(name);
    return {static_cast<uint64_t>(status.st_size),
            status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
  }

  static SystemError unreadable(const std::string& name) {
    return SystemError(errno, "{}: cannot be read: {}", name, std::strerror(errno));
  }

  /// The shard's file, which is kept open until many others have been opened; null if it is gone.
  std::shared_ptr<const Descriptor> open(uint32_t shard, const std::string& name) const {
    if (is_compressed(paths_[shard])) return unpacked_.file();
    constexpr size_t kMostOpen = 64;
    const std::lock_guard lock(mutex_);
    if (open_[shard]) return open_[shard];
    auto file = open_file(paths_[shard]);
    while (!*file && (errno == EMFILE || errno == ENFILE) && !in_order_of_opening_.empty()) {
      close_earliest();
      file = open_file(paths_[shard]);
    }
    if (!*file && errno == ENOENT) return nullptr;
    if (!*file) throw unreadable(name);
    open_[shard] = file;
    in_order_of_opening_.push_back(shard);
    if (in_order_of_opening_.size() > kMostOpen) close_earliest();
    return file;
  }

  static std::shared_ptr<const Descriptor> open_file(const std::string& path) {
    return std::make_shared<const Descriptor>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  void close_earliest() const {
    open_[in_order_of_opening_.front()].reset();
    in_order_of_opening_.pop_front();
  }

  std::vector<std::string> paths_;
  std::vector<State> states_;
  UnpackedShards unpacked_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<std::shared_ptr<const Descriptor>> open_;
  mutable std::deque<uint32_t> in_order_of_opening_;
};

/// The images of shards, or their masks.
class ShardStorage : public ImageStorage {
 public:
  explicit ShardStorage(std::shared_ptr<const ShardFiles> files) : files_(std::move(files)) {}

  const NameTable& names() const { return names_; }

  void begin_shard() { starts_.push_back(std::ssize(places_)); }

  void add(uint64_t offset, uint32_t size, std::string_view name) {
    places_.push_back({offset, size, static_cast<uint32_t>(starts_.size() - 1)});
    names_.add(name);
  }

  std::string name(int64_t index) const override {
    return files_->path(places_[index].shard) + " > " + one_line(names_[index]);
  }

  std::string relative_name(int64_t index) const override {
    const fs::path file = files_->path(places_[index].shard);
    return file.filename().string() + " > " + std::string(names_[index]);
  }

  std::vector<int64_t> stretches() const override { return starts_; }

  std::optional<uint64_t> file_size(int64_t index) const override { return places_[index].size; }

  StoredImage read(int64_t index) const override {
    const auto& [offset, size, shard] = places_[index];
    return StoredImage(files_->read(shard, offset, size, name(index)));
  }

 private:
  struct Place {
    uint64_t offset;
    uint32_t size;
    uint32_t shard;
  };

  std::shared_ptr<const ShardFiles> files_;
  std::vector<int64_t> starts_;
  std::vector<Place> places_;
  NameTable names_;
};

/// Throws Error unless each label has a name, if there are any.
void require_names(const ImageList& list) {
  const int64_t names = std::ssize(list.class_names);
  for (int64_t i = 0; names > 0 && i < list.size(); ++i) {
    if (list.labels[i] < names) continue;
    throw Error("{}: has label {}, but classes.txt names {} classes only (0 to {})", list.name(i),
                list.labels[i], names, names - 1);
  }
}

/// The folders that lead to a file, outermost first.
std::vector<std::string> folders_of(std::string_view name) {
  std::vector<std::string> folders;
  for (size_t slash = name.find('/'); slash != name.npos; slash = name.find('/')) {
    const std::string_view folder = name.substr(0, slash);
    if (!folder.empty() && folder != ".") folders.emplace_back(folder);
    name.remove_prefix(slash + 1);
  }
  return folders;
}

/// How many of the outermost folders all images share.
size_t count_shared_folders(const NameTable& names) {
  std::vector<std::string> shared = folders_of(names[0]);
  for (int64_t i = 1; i < names.size() && !shared.empty(); ++i) {
    const std::vector<std::string> folders = folders_of(names[i]);
    const size_t most = std::min(shared.size(), folders.size());
    const auto differs = std::mismatch(shared.begin(), shared.begin() + most, folders.begin());
    shared.resize(differs.first - shared.begin());
  }
  return shared.size();
}

/// Labels images by the folders that they lie in below those that all share; -1 where there is
/// none.
void label_by_folders(const NameTable& names, LabelTable& table, std::vector<int32_t>& labels) {
  const size_t shared = count_shared_folders(names);
  for (int64_t i = 0; i < names.size(); ++i) {
    const std::vector<std::string> folders = folders_of(names[i]);
    if (folders.size() > shared) {
      labels[i] = table.add(folders[shared], [&] { return one_line(names[i]); });
    }
  }
}

/// Replaces labels' numbers in `table`, -1 where there is none, by classes, and names these.
void set_labels(ImageList& list, const LabelTable& table, const NameTable& names,
                const std::string& first_unlabelled, bool have_masks) {
  LabelTable of_folders(LabelKind::kNames);
  const bool has_labels = !table.labels().empty();
  if (!has_labels) label_by_folders(names, of_folders, list.labels);
  if (std::count(list.labels.begin(), list.labels.end(), -1) > 0) {
    throw Error(
        "{} has no label (expected a .cls file, a .json with a \"label\", or all images in folders "
        "of their classes{})",
        first_unlabelled, have_masks ? "; it has masks, which model.head=deeplabv3 needs" : "");
  }
  const LabelTable& labels = has_labels ? table : of_folders;
  if (list.class_names.empty()) list.class_names = labels.names();
  const std::vector<int32_t> classes = labels.classes(list.class_names);
  for (int32_t& number : list.labels) number = classes[number];
  require_names(list);
}

/// Adds the labels of a shard to those of all; their numbers there, by number.
std::vector<int32_t> merge(const LabelTable& shard, LabelTable& all) {
  std::vector<int32_t> numbers;
  for (const auto& [text, place] : shard.labels()) {
    numbers.push_back(all.add(text, [&] { return place; }));
  }
  return numbers;
}

}  // namespace

ImageList read_shards(const std::string& path, Samples samples) {
  const std::vector<std::string> paths = shard_files(path);
  const auto files = std::make_shared<ShardFiles>(paths);
  const auto images = std::make_shared<ShardStorage>(files);
  const auto masks = std::make_shared<ShardStorage>(files);
  ImageList list{path, class_names_beside(paths.front()), {}, images};
  const auto objects = std::make_shared<ObjectTable>();
  LabelTable table, object_names(LabelKind::kNames);
  LeftOut left_out;
  std::string first_unlabelled, first_unmasked, first_unboxed;
  int64_t masked = 0, boxed = 0;
  const auto index = [&](int64_t i) {
    if (!is_compressed(paths[i])) return index_shard(TarReader(paths[i]), paths[i], samples);
    const auto [begin, end] = files->unpacked().add(paths[i]);
    return index_shard(TarReader(paths[i], files->unpacked().file(), begin, end), paths[i],
                       samples);
  };
  const int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 16);
  in_order(0, std::ssize(paths), threads, index, [&](int64_t, const ShardIndex& shard) {
    const std::vector<int32_t> numbers = merge(shard.labels, table);
    const std::vector<int32_t> object_numbers = merge(shard.object_names, object_names);
    for (Object object : shard.objects) {
      object.label = object_numbers[object.label];
      objects->objects.push_back(object);
    }
    files->add(shard);
    images->begin_shard();
    masks->begin_shard();
    for (int64_t i = 0; i < std::ssize(shard.images); ++i) {
      const ImageInShard& image = shard.images[i];
      list.labels.push_back(image.label < 0 ? -1 : numbers[image.label]);
      images->add(image.offset, image.size, shard.names[i]);
      masks->add(image.mask_offset, image.mask_size, shard.mask_names[i]);
      if (image.mask_size > 0) ++masked;
      if (image.objects >= 0) ++boxed;
      const int64_t before = objects->ends.empty() ? 0 : objects->ends.back();
      objects->ends.push_back(before + std::max(0, image.objects));
    }
    left_out.add(shard.left_out);
    if (first_unlabelled.empty()) first_unlabelled = shard.first_unlabelled;
    if (first_unmasked.empty()) first_unmasked = shard.first_unmasked;
    if (first_unboxed.empty()) first_unboxed = shard.first_unboxed;
  });
  left_out.warn(path);
  if (list.labels.empty()) {
    throw Error("{}: holds no images (expected samples such as 0001.jpg and 0001.cls)", path);
  }
  if (samples == Samples::kEither) {
    samples = !table.labels().empty() ? Samples::kLabelled
              : masked > 0            ? Samples::kMasked
              : boxed > 0             ? Samples::kBoxed
                                      : Samples::kLabelled;
  }
  if (samples == Samples::kLabelled) {
    set_labels(list, table, images->names(), first_unlabelled, masked > 0);
    return list;
  }
  if (samples == Samples::kBoxed) {
    if (boxed < list.size()) {
      throw Error(
          "{} has no boxes (expected a .xml of Pascal VOC's beside its image); {} of {} images "
          "have none",
          first_unboxed, list.size() - boxed, list.size());
    }
    list.labels.assign(list.labels.size(), -1);
    list.class_names = object_names.names();
    const std::vector<int32_t> classes = object_names.classes(list.class_names);
    for (Object& object : objects->objects) object.label = classes[object.label];
    list.objects = objects;
    return list;
  }
  if (masked < list.size()) {
    throw Error("{} has no mask (expected a .mask.png beside its image); {} of {} images have none",
                first_unmasked, list.size() - masked, list.size());
  }
  list.labels.assign(list.labels.size(), -1);
  list.masks = masks;
  return list;
}

}  // namespace mobileone
