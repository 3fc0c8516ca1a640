#include "legacy_file.h"

#include <ATen/ops/empty.h>

#include <limits>
#include <map>

#include "mobileone/util/file.h"
#include "unpickler.h"

namespace mobileone {
namespace {

constexpr int64_t kProtocolVersion = 1001;

class LegacyReader {
 public:
  explicit LegacyReader(std::string_view bytes) : bytes_(bytes) {}

  Value run() {
    bytes_.take(kLegacyMagic.size());
    check_version();
    const LoadStorage promise = [&](const std::string& key, int64_t count, int64_t element) {
      return promise_storage(key, count, element);
    };
    const Value value = Unpickler(bytes_, promise).value();
    fill_storages(read_plain());
    return value;
  }

 private:
  /// A storage that the value refers to and whose elements come later.
  struct Promised {
    at::Storage storage;
    int64_t count, element;
    bool filled = false;
  };

  /// A pickle that has no tensors.
  Value read_plain() {
    const LoadStorage none = [](const std::string&, int64_t, int64_t) -> at::Storage {
      throw Error("a storage where none belongs");
    };
    return Unpickler(bytes_, none).value();
  }

  void check_version() {
    const int64_t version = read_plain().named("its protocol version").as_int();
    if (version != kProtocolVersion) {
      throw Error("has protocol version {}, expected {}", version, kProtocolVersion);
    }
    if (!read_plain().named("its description of the machine").at("little_endian").as_bool()) {
      throw Error("was written on a big-endian machine, which is not supported");
    }
  }

  at::Storage promise_storage(const std::string& key, int64_t count, int64_t element) {
    const auto found = storages_.find(key);
    if (found != storages_.end()) {
      if (found->second.count != count || found->second.element != element) {
        throw Error("storage '{}' has two sizes", printable(key));
      }
      return found->second.storage;
    }
    const int64_t size = count * element;
    if (static_cast<uint64_t>(size) > bytes_.left() - promised_) {
      throw Error("is cut off or damaged: storage '{}' of {} bytes is more than what follows",
                  printable(key), size);
    }
    promised_ += size;
    const at::Storage storage = at::empty({size}, at::kByte).storage();
    storages_.emplace(key, Promised{storage, count, element});
    return storage;
  }

  void fill_storages(const Value& keys) {
    for (const Value& name : keys.named("its list of storages").as_list()) {
      const std::string& key = name.as_string();
      const auto found = storages_.find(key);
      if (found == storages_.end() || found->second.filled) {
        throw Error("has a storage '{}' that nothing refers to", printable(key));
      }
      fill(found->second, key);
    }
    for (const auto& [key, promised] : storages_) {
      if (!promised.filled) throw Error("has no storage '{}'", printable(key));
    }
  }

  void fill(Promised& promised, const std::string& key) {
    const auto count = bytes_.take<int64_t>();
    if (count != promised.count) {
      throw Error("storage '{}' has {} elements where the pickle says {}", printable(key), count,
                  promised.count);
    }
    const std::string_view elements = bytes_.take(promised.storage.nbytes());
    std::copy(elements.begin(), elements.end(),
              static_cast<char*>(promised.storage.mutable_data()));
    promised.filled = true;
  }

  ByteCursor bytes_;
  uint64_t promised_ = 0;  // bytes of all storages so far
  std::map<std::string, Promised> storages_;
};

}  // namespace

Value read_legacy_file(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, std::numeric_limits<uintmax_t>::max());
  return LegacyReader(bytes).run();
}

}  // namespace mobileone
