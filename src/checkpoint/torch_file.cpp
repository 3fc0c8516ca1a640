#include "mobileone/checkpoint/torch_file.h"

#include <ATen/ops/empty.h>
#include <caffe2/serialize/inline_container.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "byte_cursor.h"
#include "mobileone/checkpoint/pickle.h"
#include "mobileone/checkpoint/zip_reader.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kLegacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c";

std::string first_bytes(const fs::path& path) {
  require_file(path, "torch file");
  std::string bytes(8, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(stream.gcount());
  return bytes;
}

void require_zip(std::string_view magic) {
  if (magic.empty()) throw Error("is empty, expected a torch file");
  if (magic.starts_with(kLegacyMagic)) {
    throw Error(
        "is in torch's format from before version 1.6; load it in Python and save it again");
  }
  if (!magic.starts_with(kZipMagic)) throw Error("is not a torch zip file as torch.save writes it");
}

/// The records of one archive; all lie in a folder whose name is free.
class TorchArchive {
 public:
  explicit TorchArchive(const fs::path& path) : zip_(path) {
    if (!zip_.names().empty()) {
      const std::string& name = zip_.names().front();
      folder_ = name.substr(0, name.find('/') + 1);
    }
  }

  bool contains(const std::string& name) const { return zip_.contains(folder_ + name); }
  std::string read(const std::string& name) { return zip_.read(folder_ + name); }
  bool is_torchscript() const { return contains("constants.pkl"); }

  at::Storage load_storage(const std::string& key, uint64_t size);

 private:
  ZipReader zip_;
  std::string folder_;
  std::map<std::string, at::Storage> storages_;
};

at::Storage TorchArchive::load_storage(const std::string& key, uint64_t size) {
  const std::string name = folder_ + "data/" + key;
  if (zip_.size(name) != size) {
    throw Error("record '{}' has {} bytes where the pickle says {}", printable(name),
                zip_.size(name), size);
  }
  const auto found = storages_.find(key);
  if (found != storages_.end()) return found->second;
  const at::Tensor bytes = at::empty({static_cast<int64_t>(size)}, at::kByte);
  zip_.read(name, static_cast<char*>(bytes.data_ptr()));
  return storages_.emplace(key, bytes.storage()).first->second;
}

Value read_archive(const fs::path& path) {
  TorchArchive archive(path);
  if (archive.is_torchscript()) {
    throw Error("is a TorchScript archive, expected a file of weights");
  }
  if (!archive.contains("data.pkl")) throw Error("is a zip file but no torch file: no data.pkl");
  if (archive.contains("byteorder") && archive.read("byteorder") != "little") {
    throw Error("was written on a big-endian machine, which is not supported");
  }
  return unpickle(archive.read("data.pkl"), [&](const std::string& key, uint64_t size) {
    return archive.load_storage(key, size);
  });
}

/// Gathers the storages that a pickle names, each once. A storage that is seen as two dtypes is
/// two to Python, which keeps one dtype a storage.
class StorageCollector {
 public:
  std::string add(const at::Storage& storage, at::ScalarType dtype) {
    const auto [found, is_new] = keys_.emplace(std::pair(storage.unsafeGetStorageImpl(), dtype),
                                               std::to_string(storages_.size()));
    if (is_new) storages_.emplace_back(storage, dtype);
    return found->second;
  }

  void write_to(caffe2::serialize::PyTorchStreamWriter& writer) const {
    for (size_t i = 0; i < storages_.size(); ++i) {
      const auto& [storage, dtype] = storages_[i];
      const auto options = at::TensorOptions(dtype).device(storage.device());
      const at::Tensor elements = at::empty({0}, options).set_(storage).cpu();
      writer.writeRecord("data/" + std::to_string(i), elements.data_ptr(), elements.nbytes());
    }
  }

 private:
  std::vector<std::pair<at::Storage, at::ScalarType>> storages_;
  std::map<std::pair<const c10::StorageImpl*, at::ScalarType>, std::string> keys_;
};

void write_archive(const fs::path& path, const Value& value) {
  StorageCollector storages;
  const std::string pickled =
      pickle(value, [&](const auto& storage, auto dtype) { return storages.add(storage, dtype); });
  std::ofstream stream(path, std::ios::binary);
  // Given a path instead, the writer would put the temporary file's name into the file; told of a
  // full disk, it throws from its destructor. So it hears of nothing, and the stream is asked
  // below.
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, size_t size) {
    stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    return size;
  });
  writer.writeRecord("data.pkl", pickled.data(), pickled.size());
  writer.writeRecord("byteorder", "little", 6);
  storages.write_to(writer);
  writer.writeEndOfFile();
  stream.close();
  if (!stream) throw Error("cannot be written: {}", std::strerror(errno));
}

}  // namespace

Value read_torch_file(const fs::path& path) {
  const std::string magic = first_bytes(path);
  try {
    require_zip(magic);
    return read_archive(path).named(path.string());
  } catch (const Error& error) {
    throw Error("{}: {}", path.string(), error.what());
  }
}

void write_torch_file(const fs::path& path, const Value& value) {
  write_whole(path, [&](const fs::path& temporary) {
    try {
      write_archive(temporary, value);
    } catch (const Error& error) {
      throw Error("{}: {}", path.string(), error.what());
    }
  });
}

bool is_torchscript_file(const fs::path& path) {
  if (!first_bytes(path).starts_with(kZipMagic)) return false;
  try {
    return TorchArchive(path).is_torchscript();
  } catch (const Error& error) {
    throw Error("{}: {}", path.string(), error.what());
  }
}

}  // namespace mobileone
