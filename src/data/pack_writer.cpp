#include <ATen/ATen.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <optional>

#include "mobileone/data/box_cut.h"
#include "mobileone/data/image.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/pack.h"
#include "mobileone/data/resize.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/append_file.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/file.h"
#include "mobileone/util/folder_lock.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/system_error.h"
#include "pack_format.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

using namespace pack_format;

/// What an image of this size is reduced to; nothing if it is small enough.
std::optional<Cut> reduction(int64_t height, int64_t width, const PackSettings& settings) {
  constexpr Interpolation kInterpolation = Interpolation::kBilinear;
  if (settings.max_side > 0) {
    const double scale = static_cast<double>(settings.max_side) / std::max(height, width);
    if (scale >= 1) return std::nullopt;
    const auto scaled = [&](int64_t side) {
      return std::max<int64_t>(1, std::lround(scale * static_cast<double>(side)));
    };
    return Cut{.box = {0, 0, height, width},
               .height = scaled(height),
               .width = scaled(width),
               .window = {0, 0, scaled(height), scaled(width)},
               .interpolation = kInterpolation};
  }
  if (settings.short_side == 0 || std::min(height, width) <= settings.short_side) {
    return std::nullopt;
  }
  return short_side_cut(height, width, settings.short_side, kInterpolation);
}

/// Where the images of a list lie (part 0), or their masks.
const ImageStorage& storage_of(const ImageList& list, int64_t part) {
  return part == 0 ? *list.storage : *list.masks;
}

/// An entry without its place, and what its bytes lie in.
struct Record {
  Entry entry{};
  std::optional<StoredImage> stored;

  std::string_view bytes() const {
    if (!stored) return {};
    if (!stored->is_decoded()) return stored->bytes();
    return {static_cast<const char*>(stored->pixels().const_data_ptr()),
            static_cast<size_t>(stored->pixels().numel())};
  }
};

/// What is packed of an image: itself, its mask, its objects.
struct Parts {
  std::vector<StoredImage> records;
  std::vector<Object> objects;
};

/// What becomes of these.
struct Packed {
  std::vector<Record> records;
  std::string objects;
  std::string error;  ///< where one cannot be read
};

/// As they are packed; objects may be set where the image cannot be read.
void read_parts(const ImageList& list, int64_t index, const PackSettings& settings, Parts& parts) {
  if (list.objects) {
    const auto own = list.objects->of(index);
    parts.objects.assign(own.begin(), own.end());
  }
  if (!settings.decoded) {
    parts.records.push_back(list.read(index));
    if (list.masks) parts.records.push_back(list.read_mask(index));
    return;
  }
  const at::Tensor image = read_pixels(list, index, settings.upright);
  const at::Tensor mask = list.annotation(index).mask;
  require_mask_size(mask, image.size(0), image.size(1), list.name(index));
  const auto cut = reduction(image.size(0), image.size(1), settings);
  parts.records.emplace_back(cut ? apply_cut(*cut, image) : image.contiguous());
  if (mask.defined()) parts.records.emplace_back(cut ? cut_mask(*cut, mask) : mask.contiguous());
  for (Object& object : parts.objects) {
    if (cut) object = cut_object(*cut, object);
  }
}

Packed pack_image(const ImageList& list, int64_t index, const PackSettings& settings) {
  Parts parts;
  std::string error;
  try {
    read_parts(list, index, settings, parts);
  } catch (const SystemError&) {
    throw;  // an image that is whole, or may be, must not be missing for ever
  } catch (const Error& damage) {
    error = damage.what();
  }
  if (!settings.decoded && !parts.records.empty() && parts.records[0].is_decoded()) {
    throw Error("{}: holds pixels, not image files; pack it with --decoded", list.origin);
  }
  Packed packed{std::vector<Record>(records_each(list)), {}, error};
  append_objects(packed.objects, parts.objects);
  for (int64_t part = 0; part < std::ssize(parts.records); ++part) {
    Record& record = packed.records[part];
    record.stored.emplace(std::move(parts.records[part]));
    if (record.bytes().empty()) packed.error = storage_of(list, part).name(index) + ": is empty";
  }
  for (Record& record : packed.records) {
    if (!packed.error.empty()) record.stored.reset();
    record.entry.label = label_in(list, index);
    record.entry.size = static_cast<uint32_t>(record.bytes().size());
    record.entry.crc = crc32c(record.bytes());
    if (!settings.decoded || !record.stored) continue;
    record.entry.height = static_cast<uint32_t>(record.stored->pixels().size(0));
    record.entry.width = static_cast<uint32_t>(record.stored->pixels().size(1));
  }
  return packed;
}

/// Of how many images an interrupted writer's entries are sound, as far as there are records and
/// objects of theirs, in bytes.
int64_t count_sound(std::string_view entries, const ImageList& list, uint64_t records,
                    uint64_t objects) {
  const int64_t each = records_each(list);
  uint64_t end = kHeaderSize, name_end = 0;
  const auto complete = static_cast<int64_t>(entries.size() / (each * kEntrySize));
  for (int64_t i = 0; i < std::min(complete, list.size()); ++i) {
    for (int64_t part = 0; part < each; ++part) {
      const Entry entry = entry_at(entries, each * i + part);
      name_end += storage_of(list, part).relative_name(i).size();
      if (entry.offset != aligned(end) || entry.offset + entry.size > records ||
          entry.name_end != name_end || entry.label != label_in(list, i)) {
        return i;
      }
      end = entry.offset + entry.size;
    }
    if (list.objects && list.objects->ends[i] * kObjectSize > objects) return i;
  }
  return std::min(complete, list.size());
}

/// The folder in which a pack grows. Records are synced before the entries that tell of them are
/// written, so that whatever entries are found can be trusted.
class PartialPack {
 public:
  PartialPack(const fs::path& folder, const ImageList& list, const std::string& header)
      : folder_(folder), list_(list) {
    find_earlier(header);
    const Entry last = done_ == 0 ? Entry() : entry_at(entries_, done_ * records_each(list_) - 1);
    name_end_ = last.name_end;
    records_.emplace(records_path(), last.offset + last.size);
    index_.emplace(folder_ / "index", entries_.size());
    if (list_.objects) objects_file_.emplace(folder_ / "objects", objects_.size());
    if (done_ == 0) records_->append(header);
  }

  fs::path records_path() const { return folder_ / "records"; }
  int64_t done() const { return done_; }
  int64_t unreadable() const { return unreadable_; }

  void add(const Packed& packed) {
    for (int64_t part = 0; part < std::ssize(packed.records); ++part) {
      Entry entry = packed.records[part].entry;
      pad();
      entry.offset = records_->length() + pending_.size();
      name_end_ += storage_of(list_, part).relative_name(done_).size();
      if (name_end_ > std::numeric_limits<uint32_t>::max()) {
        throw Error("{}: its images' names have more than 4 GiB", list_.origin);
      }
      entry.name_end = static_cast<uint32_t>(name_end_);
      append_entry(entries_, entry);
      pending_ += packed.records[part].bytes();
    }
    objects_ += packed.objects;
    ++done_;
    if (!packed.error.empty()) note_unreadable(packed.error);
    constexpr size_t kMostPending = 32 << 20;  // bytes that a killed process has to do again
    if (pending_.size() > kMostPending) flush();
  }

  /// Appends the index and the footer; the pack is whole then. Returns its size.
  uint64_t finish() {
    pad();
    flush();
    std::string index = entries_ + objects_;
    if (list_.objects) append_image_ids(index, list_);
    append_classes(index, list_);
    for (int64_t i = 0; i < list_.size(); ++i) {
      for (int64_t part = 0; part < records_each(list_); ++part) {
        index += storage_of(list_, part).relative_name(i);
      }
    }
    std::string footer;
    append_little_endian(footer, records_->length(), 8);
    append_little_endian(footer, index.size(), 8);
    append_little_endian(footer, crc32c(index), 4);
    append_little_endian(footer, 0, 4);
    records_->append(index);
    records_->append(footer.append(kMark));
    records_->sync();
    return records_->length();
  }

 private:
  /// Sets what is done, or throws Error if the folder is of another pack.
  void find_earlier(const std::string& header) {
    if (!fs::exists(records_path()) || !fs::exists(folder_ / "index")) return;
    std::string begin(kHeaderSize, '\0');
    std::ifstream stream(records_path(), std::ios::binary);
    stream.read(begin.data(), kHeaderSize);
    if (stream.gcount() < static_cast<std::streamsize>(kHeaderSize)) return;
    if (begin != header) {
      throw Error(
          "{}: was begun from other images or with other settings; remove it, or go on "
          "with the same",
          folder_.string());
    }
    constexpr auto kAnySize = std::numeric_limits<uintmax_t>::max();
    entries_ = read_file(folder_ / "index", kAnySize);
    if (fs::exists(folder_ / "objects")) objects_ = read_file(folder_ / "objects", kAnySize);
    done_ = count_sound(entries_, list_, fs::file_size(records_path()), objects_.size());
    const int64_t each = records_each(list_);
    entries_.resize(done_ * each * kEntrySize);
    objects_.resize(list_.objects && done_ > 0 ? list_.objects->ends[done_ - 1] * kObjectSize : 0);
    for (int64_t i = 0; i < done_; ++i) unreadable_ += entry_at(entries_, i * each).size == 0;
  }

  void pad() {
    const uint64_t end = records_->length() + pending_.size();
    pending_.resize(pending_.size() + aligned(end) - end);
  }

  void flush() {
    records_->append(pending_);
    records_->sync();
    if (objects_file_) {
      objects_file_->append(std::string_view(objects_).substr(objects_file_->length()));
      objects_file_->sync();
    }
    index_->append(std::string_view(entries_).substr(index_->length()));
    pending_.clear();
  }

  void note_unreadable(const std::string& error) {
    log::warning("an empty record: {}", error);
    require_few_damaged(list_, ++unreadable_, error);
  }

  const fs::path folder_;
  const ImageList& list_;
  int64_t done_ = 0, unreadable_ = 0;
  uint64_t name_end_ = 0;
  std::string entries_, objects_;  ///< of all that is done
  std::string pending_;            ///< records that are not written yet
  std::optional<AppendFile> records_, objects_file_, index_;
};

/// Throws Error if the folder is there and holds anything that no writer of a pack left.
void require_own(const fs::path& folder) {
  const auto foreign = [](const fs::path& path) {
    return Error(
        "{}: is there already, and not of an interrupted `data pack`, which would write there; "
        "move it away, or name another pack",
        path.string());
  };
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  if (!fs::is_directory(folder, error)) throw foreign(folder);
  const bool locked = FolderLock::was_in(folder);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool own =
        name == ".lock" || (locked && (name == "records" || name == "objects" || name == "index"));
    if (!own) throw foreign(entry.path());
  }
}

/// Removes the folder of a pack that is whole.
void remove_finished(const fs::path& folder) {
  std::error_code ignored;
  if (!FolderLock::was_in(folder) || fs::exists(folder / "records", ignored)) return;
  for (const char* name : {"index", "objects", ".lock"}) fs::remove(folder / name, ignored);
  fs::remove(folder, ignored);
}

/// Whether the pack is there already. Throws Error if something else is.
bool is_there(const fs::path& path, const std::string& header) {
  if (!fs::exists(path)) return false;
  std::string begin(kHeaderSize, '\0');
  if (is_pack(path)) std::ifstream(path, std::ios::binary).read(begin.data(), kHeaderSize);
  if (begin == header) return true;
  throw Error(
      "{}: is there already, and is not a pack of these images with these settings; remove "
      "it, or name another",
      path.string());
}

}  // namespace

PackSummary write_pack(const ImageList& list, const fs::path& path, const PackSettings& settings,
                       int64_t threads) {
  if (path.filename().empty()) throw Error("{}: is no name of a file to write", path.string());
  const std::string begin = header(settings, list);
  const fs::path folder = fs::path(path) += ".partial";
  std::error_code error;
  if (is_there(path, begin)) {
    remove_finished(folder);  // of a writer that was killed before it could
    return {list.size(), 0, fs::file_size(path), true};
  }
  require_output(path);
  require_own(folder);
  fs::create_directory(folder, error);
  if (error) throw Error("{}: cannot be made: {}", folder.string(), error.message());
  PackSummary summary{.images = list.size()};
  {  // the lock is let go of before its folder is removed
    const FolderLock lock(folder);
    PartialPack partial(folder, list, begin);
    Progress progress("packing", list.size(), "img", partial.done());
    in_order(
        partial.done(), list.size(), threads,
        [&](int64_t i) { return pack_image(list, i, settings); },
        [&](int64_t i, const Packed& packed) {
          partial.add(packed);
          progress.update(i + 1, "");
        });
    summary.bytes = partial.finish();
    summary.unreadable = partial.unreadable();
    lock.require_held();
    rename_whole(partial.records_path(), path);
  }
  remove_finished(folder);
  return summary;
}

}  // namespace mobileone
