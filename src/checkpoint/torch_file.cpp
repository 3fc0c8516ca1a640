#include "mobileone/checkpoint/torch_file.h"

#include <ATen/ops/empty.h>
#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "legacy_file.h"
#include "mobileone/checkpoint/pickle.h"
#include "mobileone/data/file_kind.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "torch_archive.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";

std::string first_bytes(const fs::path& path, size_t count = 16) {
  require_file(path, "torch file");
  std::string bytes(count, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(stream.gcount());
  return bytes;
}

/// Calls `body`, whose errors are about the file.
template <typename Body>
auto naming(const fs::path& path, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error("{}: {}", path.string(), error.what());
  }
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
  return naming(path, [&] {
    if (magic.empty()) throw Error("is empty, expected a torch file");
    if (magic.starts_with(kLegacyMagic)) return read_legacy_file(path).named(path.string());
    if (!magic.starts_with(kZipMagic)) {
      throw Error(
          "is {}, expected weights as torch.save or safetensors writes them, or TorchScript",
          file_kind(first_bytes(path, 512)));
    }
    return TorchArchive(path).value().named(path.string());
  });
}

Value read_torchscript_weights(const fs::path& path) {
  require_file(path, "TorchScript archive");
  return naming(path, [&] { return Value(TorchArchive(path).tensors()).named(path.string()); });
}

std::map<std::string, std::string> read_torchscript_extra_files(const fs::path& path) {
  require_file(path, "TorchScript archive");
  return naming(path, [&] { return TorchArchive(path).extra_files(); });
}

void check_sums(const fs::path& path) {
  require_file(path, "zip file");
  naming(path, [&] {
    ZipReader zip(path);
    const std::vector<std::string> names = zip.names();
    const bool any_compressed = std::any_of(
        names.begin(), names.end(), [&](const auto& name) { return zip.is_compressed(name); });
    std::optional<caffe2::serialize::PyTorchStreamReader> inflater;
    try {
      if (any_compressed) inflater.emplace(path.string());
      for (const auto& name : names) {
        if (!zip.is_compressed(name)) {
          zip.read(name);
          continue;
        }
        zip.read_compressed(name, [&](std::string& bytes) {
          inflater->getRecord(name.substr(name.find('/') + 1), bytes.data(), bytes.size());
        });
      }
    } catch (const c10::Error& error) {
      throw Error("is damaged: a compressed record cannot be read");
    }
  });
}

void write_torch_file(const fs::path& path, const Value& value) {
  write_whole(path, [&](const fs::path& temporary) {
    naming(path, [&] { write_archive(temporary, value); });
  });
}

bool is_torchscript_file(const fs::path& path) {
  if (!first_bytes(path).starts_with(kZipMagic)) return false;
  return naming(path, [&] { return TorchArchive(path).is_torchscript(); });
}

}  // namespace mobileone
