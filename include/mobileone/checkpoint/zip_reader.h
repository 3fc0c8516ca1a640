#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mobileone {

/// The records of a zip file as torch writes them: stored, not compressed. The directory is checked
/// whole before anything is read: each record lies within the file and none overlaps another, so
/// that all records together are never larger than the file (no zip bombs). A record's CRC is
/// checked when it is read (zero means that none was computed: Python's
/// `set_crc32_options(False)`).
///
/// LibTorch has a reader too (caffe2/serialize/inline_container.h), but it allocates what an entry
/// claims to need and leaves the CRC alone.
///
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 (layout) and 4.5.3 (zip64). Not supported:
/// compressed records, encryption, archives of several parts. Every function throws Error, which
/// does not name the file; the callers do.
class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path);

  /// In the order in which the records lie in the file.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(const std::string& name) const { return entries_.contains(name); }

  /// Throws for a record that is missing.
  bool is_compressed(const std::string& name) const { return find(name).compressed; }

  /// Throws for a record that is missing or compressed.
  uint64_t size(const std::string& name) const;

  /// Writes `size(name)` bytes to `out`. Throws for a record that is missing, compressed or
  /// damaged.
  void read(const std::string& name, char* out);
  std::string read(const std::string& name);

  /// What a compressed record holds. Throws for one that is missing, not compressed or damaged, or
  /// that claims to hold more than its bytes can. `inflate` writes it out, as the bytes that it is
  /// given the size for.
  std::string read_compressed(const std::string& name,
                              const std::function<void(std::string& bytes)>& inflate) const;

 private:
  struct Entry {
    uint64_t offset;  // of the local header
    uint64_t stored_size;
    uint64_t size;
    uint64_t end;  // of the space for the header and the data
    uint32_t crc;
    bool compressed;
  };
  struct Directory {
    uint64_t count, size, offset;
  };

  Directory find_directory();
  void read_directory(const Directory& directory);
  void check_layout(uint64_t directory_offset);
  const Entry& find(const std::string& name) const;
  const Entry& entry(const std::string& name) const;
  void read_at(uint64_t offset, uint64_t size, char* out);
  std::string read_at(uint64_t offset, uint64_t size);

  std::ifstream stream_;
  uint64_t file_size_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> names_;
};

}  // namespace mobileone
