#include "mobileone/checkpoint/zip_reader.h"

#include <algorithm>

#include "byte_cursor.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kEntrySignature = 0x02014b50,
                   kEnd64Signature = 0x06064b50, kLocatorSignature = 0x07064b50;
constexpr std::string_view kEndSignature = "PK\x05\x06";
constexpr uint64_t kLocalSize = 30, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr uint64_t kMaxComment = 0xffff;
constexpr uint32_t kIn64 = 0xffffffff;  // the 32-bit field's way to say: see the 64-bit one
constexpr uint16_t kZip64Extra = 1;

void expect_signature(ByteCursor& bytes, uint32_t signature, const char* what) {
  if (bytes.take<uint32_t>() != signature)
    throw Error("is damaged: no {} where one should be", what);
}

/// The extra field of a directory entry holds, in this order, those of its values that need 64
/// bits.
void read_zip64_extra(std::string_view extra, std::initializer_list<uint64_t*> values) {
  ByteCursor fields(extra);
  while (fields.left() > 0) {
    const auto kind = fields.take<uint16_t>();
    ByteCursor field(fields.take(fields.take<uint16_t>()));
    if (kind != kZip64Extra) continue;
    for (uint64_t* value : values) {
      if (*value == kIn64) *value = field.take<uint64_t>();
    }
  }
}

[[noreturn]] void throw_overlap(const std::string& name) {
  throw Error("is damaged: record '{}' overlaps others or ends beyond the file", printable(name));
}

/// Zero says that no sum was computed.
void check_sum(const std::string& name, std::string_view bytes, uint32_t sum) {
  if (sum == 0 || crc32(bytes) == sum) return;
  throw Error("is damaged: record '{}' differs from its checksum", printable(name));
}

}  // namespace

ZipReader::ZipReader(const std::filesystem::path& path)
    : stream_(path, std::ios::binary), file_size_(std::filesystem::file_size(path)) {
  const Directory directory = find_directory();
  read_directory(directory);
  check_layout(directory.offset);
}

uint64_t ZipReader::size(const std::string& name) const { return entry(name).size; }

const ZipReader::Entry& ZipReader::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error("has no record '{}'", printable(name));
  return found->second;
}

const ZipReader::Entry& ZipReader::entry(const std::string& name) const {
  const Entry& found = find(name);
  if (found.compressed) {
    throw Error("record '{}' is compressed; torch never does that", printable(name));
  }
  return found;
}

void ZipReader::read_at(uint64_t offset, uint64_t size, char* out) {
  if (offset > file_size_ || size > file_size_ - offset) {
    throw Error("is cut off or damaged: {} bytes expected at byte {} of {}", size, offset,
                file_size_);
  }
  stream_.seekg(static_cast<std::streamoff>(offset));
  stream_.read(out, static_cast<std::streamsize>(size));
  if (!stream_) throw Error("cannot be read at byte {}", offset);
}

std::string ZipReader::read_at(uint64_t offset, uint64_t size) {
  std::string bytes(std::min(size, file_size_), '\0');
  read_at(offset, size, bytes.data());
  return bytes;
}

void ZipReader::read(const std::string& name, char* out) {
  const Entry& record = entry(name);
  const std::string header = read_at(record.offset, kLocalSize);
  ByteCursor bytes(header);
  expect_signature(bytes, kLocalSignature, "header of a record");
  bytes.take(22);  // up to the lengths; the directory, not this header, says the sizes
  const uint64_t name_size = bytes.take<uint16_t>(), extra_size = bytes.take<uint16_t>();
  const uint64_t begin = record.offset + kLocalSize + name_size + extra_size;
  if (begin > record.end || record.size > record.end - begin) throw_overlap(name);
  read_at(begin, record.size, out);
  check_sum(name, {out, record.size}, record.crc);
}

std::string ZipReader::read(const std::string& name) {
  std::string bytes(size(name), '\0');
  read(name, bytes.data());
  return bytes;
}

std::string ZipReader::read_compressed(
    const std::string& name, const std::function<void(std::string& bytes)>& inflate) const {
  constexpr uint64_t kMostThatDeflateSaves = 1032;  // times, of zeros
  const Entry& record = find(name);
  if (!record.compressed || record.size / kMostThatDeflateSaves > record.stored_size) {
    throw Error("is damaged: record '{}' cannot hold {} bytes", printable(name), record.size);
  }
  std::string bytes(record.size, '\0');
  inflate(bytes);
  check_sum(name, bytes, record.crc);
  return bytes;
}

ZipReader::Directory ZipReader::find_directory() {
  const uint64_t tail_size = std::min(file_size_, kEndSize + kMaxComment);
  const std::string tail = read_at(file_size_ - tail_size, tail_size);
  const size_t found = tail.rfind(kEndSignature);
  if (found == std::string::npos || tail.size() - found < kEndSize) {
    throw Error("is cut off or damaged: it does not end as a zip file does");
  }
  ByteCursor end(std::string_view(tail).substr(found));
  end.take(10);  // signature, numbers of disks, entries on this disk
  Directory directory{end.take<uint16_t>(), 0, 0};
  directory.size = end.take<uint32_t>();
  directory.offset = end.take<uint32_t>();
  if (end.take<uint16_t>() != end.left()) {
    throw Error("is damaged: something follows the end of the zip file");
  }
  if (directory.count != 0xffff && directory.size != kIn64 && directory.offset != kIn64) {
    return directory;
  }

  if (found < kLocatorSize) throw Error("is cut off or damaged: its zip64 locator is missing");
  ByteCursor locator(std::string_view(tail).substr(found - kLocatorSize));
  expect_signature(locator, kLocatorSignature, "zip64 locator");
  locator.take(4);  // number of the disk
  const std::string bytes = read_at(locator.take<uint64_t>(), kEnd64Size);
  ByteCursor end64(bytes);
  expect_signature(end64, kEnd64Signature, "zip64 end");
  end64.take(28);  // sizes, versions, numbers of disks, entries on this disk
  directory.count = end64.take<uint64_t>();
  directory.size = end64.take<uint64_t>();
  directory.offset = end64.take<uint64_t>();
  return directory;
}

void ZipReader::read_directory(const Directory& directory) {
  const std::string bytes = read_at(directory.offset, directory.size);
  ByteCursor cursor(bytes);
  for (uint64_t i = 0; i < directory.count; ++i) {
    expect_signature(cursor, kEntrySignature, "directory entry");
    cursor.take(6);  // versions and flags
    Entry entry{};
    entry.compressed = cursor.take<uint16_t>() != 0;
    cursor.take(4);  // time and date
    entry.crc = cursor.take<uint32_t>();
    entry.stored_size = cursor.take<uint32_t>();
    entry.size = cursor.take<uint32_t>();
    const auto name_size = cursor.take<uint16_t>(), extra_size = cursor.take<uint16_t>(),
               comment_size = cursor.take<uint16_t>();
    cursor.take(8);  // number of the disk, attributes
    entry.offset = cursor.take<uint32_t>();
    const std::string name(cursor.take(name_size));
    read_zip64_extra(cursor.take(extra_size), {&entry.size, &entry.stored_size, &entry.offset});
    cursor.take(comment_size);
    if (!entry.compressed && entry.size != entry.stored_size) {
      throw Error("is damaged: record '{}' has two sizes, {} and {}", printable(name), entry.size,
                  entry.stored_size);
    }
    if (!entries_.emplace(name, entry).second) throw Error("has two records '{}'", printable(name));
    names_.push_back(name);
  }
}

void ZipReader::check_layout(uint64_t directory_offset) {
  std::sort(names_.begin(), names_.end(), [&](const auto& left, const auto& right) {
    return entries_.at(left).offset < entries_.at(right).offset;
  });
  uint64_t end = directory_offset;
  for (auto name = names_.rbegin(); name != names_.rend(); ++name) {
    Entry& entry = entries_.at(*name);
    if (entry.offset > end || entry.stored_size > end - entry.offset) throw_overlap(*name);
    entry.end = end;
    end = entry.offset;
  }
}

}  // namespace mobileone
