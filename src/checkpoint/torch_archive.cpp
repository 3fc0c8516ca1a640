#include "torch_archive.h"

#include <ATen/ops/empty.h>

#include "unpickler.h"

namespace mobileone {

TorchArchive::TorchArchive(const std::filesystem::path& path) : zip_(path) {
  if (!zip_.names().empty()) {
    const std::string& name = zip_.names().front();
    folder_ = name.substr(0, name.find('/') + 1);
  }
}

Value TorchArchive::value() {
  if (is_torchscript()) throw Error("is a TorchScript archive, expected a file of weights");
  const std::string pickle = read_pickle();
  return unpickle(pickle, [&](const std::string& key, int64_t count, int64_t element) {
    return load_storage(key, count * element);
  });
}

Value::Tensors TorchArchive::tensors() {
  if (!is_torchscript()) throw Error("is no TorchScript archive: no constants.pkl");
  const std::string pickle = read_pickle();
  const LoadStorage load = [&](const std::string& key, int64_t count, int64_t element) {
    return load_storage(key, count * element);
  };
  ByteCursor bytes(pickle);
  auto tensors = Unpickler(bytes, load, PickleOrigin::kTorchScript).tensors();
  if (tensors.is_empty()) {
    throw Error(
        "names no weights, as after torch.jit.freeze; use the archive from before that "
        "(eval and predict can run this one: --run-code)");
  }
  return tensors;
}

std::map<std::string, std::string> TorchArchive::extra_files() {
  const std::string folder = folder_ + "extra/";
  std::map<std::string, std::string> files;
  for (const std::string& name : zip_.names()) {
    if (name.starts_with(folder)) files.emplace(name.substr(folder.size()), zip_.read(name));
  }
  return files;
}

std::string TorchArchive::read_pickle() {
  if (!contains("data.pkl")) throw Error("is a zip file but no torch file: no data.pkl");
  if (contains("byteorder") && read("byteorder") != "little") {
    throw Error("was written on a big-endian machine, which is not supported");
  }
  return read("data.pkl");
}

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

}  // namespace mobileone
