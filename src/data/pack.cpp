#include "mobileone/data/pack.h"

#include <ATen/ops/from_blob.h>

#include <fstream>
#include <memory>
#include <utility>

#include "mobileone/config/config.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"
#include "mobileone/util/mapped_file.h"
#include "mobileone/util/one_line.h"
#include "pack_format.h"

namespace mobileone {
namespace pack_format {

std::string header(const PackSettings& settings, int64_t images, const std::string& fingerprint) {
  std::string bytes(kMark);
  append_little_endian(bytes, kVersion, 4);
  append_little_endian(bytes, settings.decoded, 4);
  append_little_endian(bytes, images, 8);
  append_little_endian(bytes, settings.decoded ? settings.short_side : 0, 4);
  append_little_endian(bytes, settings.decoded ? settings.max_side : 0, 4);
  append_little_endian(bytes, settings.decoded && settings.upright, 4);
  bytes += fingerprint;
  bytes.resize(kHeaderSize - 4);
  append_little_endian(bytes, crc32c(bytes), 4);
  return bytes;
}

void append_entry(std::string& bytes, const Entry& entry) {
  append_little_endian(bytes, entry.offset, 8);
  for (const uint32_t number :
       {entry.size, entry.crc, entry.height, entry.width, entry.label, entry.name_end}) {
    append_little_endian(bytes, number, 4);
  }
}

Entry entry_at(std::string_view bytes, int64_t i) {
  const size_t at = i * kEntrySize;
  const auto number = [&](size_t offset) {
    return static_cast<uint32_t>(little_endian(bytes, at + offset, 4));
  };
  return {little_endian(bytes, at, 8),
          number(8),
          number(12),
          number(16),
          number(20),
          number(24),
          number(28)};
}

}  // namespace pack_format

namespace {

using namespace pack_format;

/// The parts of a pack's bytes, as they lie in it.
struct Sections {
  bool decoded;
  int64_t images;
  std::string_view entries;
  std::string_view classes;  ///< and the names behind them
};

Error damaged_pack(const std::string& name, std::string_view what) {
  return Error("{}: is a damaged pack ({}); make it again with `mobileone data pack`", name, what);
}

Sections sections_of(std::string_view bytes, const std::string& name) {
  if (bytes.substr(0, kMark.size()) != kMark) throw Error("{}: is not a pack", name);
  if (bytes.size() < kHeaderSize + kFooterSize) throw damaged_pack(name, "it is cut off");
  if (const uint64_t version = little_endian(bytes, 8, 4); version != kVersion) {
    throw Error("{}: is a pack of version {}; this program reads version {}", name, version,
                kVersion);
  }
  if (crc32c(bytes.substr(0, kHeaderSize - 4)) != little_endian(bytes, kHeaderSize - 4, 4)) {
    throw damaged_pack(name, "its header fails the check sum");
  }
  const std::string_view footer = bytes.substr(bytes.size() - kFooterSize);
  if (!footer.ends_with(kMark)) throw damaged_pack(name, "it is cut off");
  const uint64_t begin = little_endian(footer, 0, 8), size = little_endian(footer, 8, 8);
  const uint64_t end = bytes.size() - kFooterSize;
  if (begin < kHeaderSize || begin > end || size != end - begin) {
    throw damaged_pack(name, "its index lies outside");
  }
  const std::string_view index = bytes.substr(begin, size);
  if (crc32c(index) != little_endian(footer, 16, 4)) {
    throw damaged_pack(name, "its index fails the check sum");
  }
  const uint64_t images = little_endian(bytes, 16, 8);
  if (images == 0 || images > size / kEntrySize) throw damaged_pack(name, "it counts wrongly");
  return {little_endian(bytes, 12, 4) != 0, static_cast<int64_t>(images),
          index.substr(0, images * kEntrySize), index.substr(images * kEntrySize)};
}

/// Takes the classes' names from `bytes`, which then hold the images' names.
std::vector<std::string> take_classes(std::string_view& bytes, const std::string& name) {
  const auto take = [&](uint64_t length) {
    if (length > bytes.size()) throw damaged_pack(name, "its classes are cut off");
    const std::string_view taken = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return taken;
  };
  const uint64_t count = little_endian(take(4), 0, 4);
  if (count > kMostClasses) throw damaged_pack(name, "it counts too many classes");
  std::vector<std::string> classes;
  for (uint64_t i = 0; i < count; ++i) {
    classes.push_back(legible_name(take(little_endian(take(4), 0, 4))));
  }
  return classes;
}

class PackStorage : public ImageStorage {
 public:
  PackStorage(std::string_view bytes, std::string path, const Sections& sections,
              std::string_view names)
      : bytes_(bytes),
        path_(std::move(path)),
        decoded_(sections.decoded),
        entries_(sections.entries),
        names_(names) {}

  void keep(std::shared_ptr<const MappedFile> file) { file_ = std::move(file); }

  std::string name(int64_t index) const override {
    return path_ + " > " + one_line(relative_name(index));
  }

  std::string relative_name(int64_t index) const override {
    const uint32_t begin = index == 0 ? 0 : entry_at(entries_, index - 1).name_end;
    return std::string(names_.substr(begin, entry_at(entries_, index).name_end - begin));
  }

  StoredImage read(int64_t index) const override {
    const Entry entry = entry_at(entries_, index);
    const std::string_view record = bytes_.substr(entry.offset, entry.size);
    if (record.empty()) {
      throw Error("{}: could not be read when the pack was made", name(index));
    }
    if (crc32c(record) != entry.crc) {
      throw Error("{}: fails its check sum: the pack is damaged, make it again", name(index));
    }
    if (!decoded_) return StoredImage(record);
    return StoredImage(
        at::from_blob(const_cast<char*>(record.data()), {entry.height, entry.width, 3}, at::kByte));
  }

  std::optional<uint64_t> file_size(int64_t index) const override {
    return decoded_ ? std::nullopt : std::optional<uint64_t>(entry_at(entries_, index).size);
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::string_view bytes_;
  std::string path_;
  bool decoded_;
  std::string_view entries_, names_;
};

bool fits_pixels(const Entry& entry) {
  const uint64_t pixels = uint64_t{entry.height} * entry.width;
  return pixels <= kMostPackedPixels && entry.size == 3 * pixels;
}

/// Whether an entry is one that the writer could have written behind a record that ends at `end`.
bool is_sound(const Entry& entry, bool decoded, uint64_t end, uint64_t index_offset) {
  return entry.offset == aligned(end) && entry.offset <= index_offset &&
         entry.size <= index_offset - entry.offset && entry.label < kMostClasses &&
         (decoded ? fits_pixels(entry) : entry.height == 0 && entry.width == 0);
}

std::shared_ptr<PackStorage> parse(std::string_view bytes, const std::string& name,
                                   ImageList& list) {
  const Sections sections = sections_of(bytes, name);
  std::string_view names = sections.classes;
  list.origin = name;
  list.class_names = take_classes(names, name);
  list.labels.reserve(sections.images);
  const uint64_t index_offset = sections.entries.data() - bytes.data();
  uint64_t end = kHeaderSize, name_end = 0;
  for (int64_t i = 0; i < sections.images; ++i) {
    const Entry entry = entry_at(sections.entries, i);
    const bool has_class = list.class_names.empty() || entry.label < list.class_names.size();
    if (!is_sound(entry, sections.decoded, end, index_offset) || !has_class ||
        entry.name_end < name_end || entry.name_end > names.size()) {
      throw damaged_pack(name, fmt::format("entry {} of its index is wrong", i));
    }
    end = entry.offset + entry.size;
    name_end = entry.name_end;
    list.labels.push_back(static_cast<int32_t>(entry.label));
  }
  if (name_end != names.size() || aligned(end) != index_offset) {
    throw damaged_pack(name, "its index does not fit its records");
  }
  auto storage = std::make_shared<PackStorage>(bytes, name, sections, names);
  list.storage = storage;
  return storage;
}

}  // namespace

bool is_pack(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // a pipe would wait
  std::ifstream stream(path, std::ios::binary);
  char begin[kMark.size()] = "";
  stream.read(begin, sizeof begin);
  return std::string_view(begin, stream.gcount()) == kMark;
}

ImageList read_pack(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  ImageList list;
  parse(file->bytes(), path, list)->keep(file);
  return list;
}

ImageList parse_pack(std::string_view bytes, const std::string& name) {
  ImageList list;
  parse(bytes, name, list);
  return list;
}

}  // namespace mobileone
