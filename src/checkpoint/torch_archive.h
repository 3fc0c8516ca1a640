#pragma once

#include <c10/core/Storage.h>

#include <filesystem>
#include <map>
#include <string>

#include "mobileone/checkpoint/value.h"
#include "mobileone/checkpoint/zip_reader.h"

namespace mobileone {

/// A zip file of a pickle and storages, as `torch.save` and `torch.jit.save` write it. Its records
/// lie in a folder whose name is free. Every function throws Error, which does not name the file.
class TorchArchive {
 public:
  explicit TorchArchive(const std::filesystem::path& path);

  bool is_torchscript() const { return contains("constants.pkl"); }
  /// What `torch.save` was given; refuses TorchScript.
  Value value();
  /// The tensors of a TorchScript module by qualified name; refuses all else.
  Value::Tensors tensors();
  /// The records of its folder "extra" by name.
  std::map<std::string, std::string> extra_files();

 private:
  bool contains(const std::string& name) const { return zip_.contains(folder_ + name); }
  std::string read(const std::string& name) { return zip_.read(folder_ + name); }
  std::string read_pickle();
  at::Storage load_storage(const std::string& key, uint64_t size);

  ZipReader zip_;
  std::string folder_;
  std::map<std::string, at::Storage> storages_;
};

}  // namespace mobileone
