#include "mobileone/checkpoint/safetensors.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "byte_cursor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
using json = nlohmann::json;
using Tensors = torch::OrderedDict<std::string, at::Tensor>;
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr int kMaxHeaderLevels = 3;           // the object of all, a tensor's, its shape
constexpr size_t kMaxHeaderValues = 1 << 20;  // each takes more memory than it does in the file
constexpr uint64_t kAlignment = 8;
constexpr const char* kMetadataKey = "__metadata__";

constexpr std::pair<std::string_view, at::ScalarType> kDtypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
    {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},    {"BOOL", at::kBool},
};

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;  // in the data that follows the header
};

at::ScalarType parse_dtype(const std::string& name) {
  for (const auto& [known, dtype] : kDtypes) {
    if (known == name) return dtype;
  }
  throw Error("dtype {} is not supported", printable(name));
}

std::string_view dtype_name(const std::string& tensor, at::ScalarType dtype) {
  for (const auto& [name, known] : kDtypes) {
    if (known == dtype) return name;
  }
  throw Error("tensor '{}': safetensors have no dtype {}", tensor, c10::toString(dtype));
}

int64_t to_size(const json& number) {
  if (!number.is_number_unsigned() || !std::in_range<int64_t>(number.get<uint64_t>())) {
    throw Error("a size was expected, not this {}", number.type_name());
  }
  return number.get<int64_t>();
}

Entry parse_entry(const std::string& name, const json& fields) {
  Entry entry{name, parse_dtype(fields.at("dtype").get<std::string>()), {}, 0, 0};
  const auto& shape = fields.at("shape").get_ref<const json::array_t&>();
  int64_t size = at::elementSize(entry.dtype);
  bool fits = shape.size() <= kMaxDimensions, empty = false;
  for (const json& extent : shape) {
    entry.shape.push_back(to_size(extent));
    empty = empty || entry.shape.back() == 0;
    // LibTorch multiplies extents for the strides even where another one is 0.
    fits = fits && !__builtin_mul_overflow(size, std::max<int64_t>(entry.shape.back(), 1), &size);
  }
  const json& offsets = fields.at("data_offsets");
  if (offsets.size() != 2) throw Error("data_offsets were expected to be two");
  entry.begin = to_size(offsets.at(0));
  entry.end = to_size(offsets.at(1));
  if (!fits || entry.end < entry.begin ||
      entry.end - entry.begin != static_cast<uint64_t>(empty ? 0 : size)) {
    throw Error("its data, bytes {} to {}, do not fit its dtype and shape", entry.begin, entry.end);
  }
  return entry;
}

/// In the order of the data, which they must cover without gap or overlap.
std::vector<Entry> parse_entries(const json& header, uint64_t data_size) {
  std::vector<Entry> entries;
  for (const auto& [name, fields] : header.items()) {
    if (name == kMetadataKey) continue;
    try {
      entries.push_back(parse_entry(name, fields));
    } catch (const Error& error) {
      throw Error("tensor '{}': {}", printable(name), error.what());
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return std::pair(left.begin, left.end) < std::pair(right.begin, right.end);
  });
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end) {
      throw Error("tensor '{}': a gap or overlap before its data", printable(entry.name));
    }
    end = entry.end;
  }
  if (end != data_size) {
    throw Error("is cut off or damaged: {} bytes of tensors expected, {} there", end, data_size);
  }
  return entries;
}

/// Walks over a header before anything of it is held. Throws Error for more than one may hold.
class HeaderCheck : public nlohmann::json_sax<json> {
 public:
  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return count(); }
  bool key(string_t&) override { return count(); }
  bool start_object(size_t) override { return enter(); }
  bool start_array(size_t) override { return enter(); }
  bool end_object() override { return --levels_, true; }
  bool end_array() override { return --levels_, true; }
  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    throw Error("is not a safetensors file: its header is no JSON at byte {}", position);
  }

 private:
  bool count() {
    if (++values_ > kMaxHeaderValues) throw Error("its header has too many values");
    return true;
  }

  bool enter() {
    if (++levels_ > kMaxHeaderLevels) {
      throw Error("its header is nested more than {} levels deep", kMaxHeaderLevels);
    }
    return count();
  }

  size_t values_ = 0;
  int levels_ = 0;
};

/// Not by a callback of the parser, which looks through all of an object whenever one in it ends.
json parse_header(const std::string& text) {
  HeaderCheck check;
  json::sax_parse(text, &check);
  return json::parse(text);
}

json read_header(std::ifstream& stream, uint64_t file_size) {
  uint64_t size = 0;
  stream.read(reinterpret_cast<char*>(&size), sizeof size);
  if (!stream || size > std::min(kMaxHeader, file_size - sizeof size)) {
    throw Error("is not a safetensors file, or is cut off in its header");
  }
  std::string text(size, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  return parse_header(text);
}

Tensors read(const fs::path& path, Metadata* metadata) {
  std::ifstream stream(path, std::ios::binary);
  const uint64_t file_size = fs::file_size(path);
  const json header = read_header(stream, file_size);
  if (!header.is_object()) throw Error("is not a safetensors file: its header is no JSON object");
  if (metadata) *metadata = header.value(kMetadataKey, Metadata());
  const auto data_size = file_size - static_cast<uint64_t>(stream.tellg());
  Tensors tensors;
  for (const Entry& entry : parse_entries(header, data_size)) {
    at::Tensor tensor = at::empty(entry.shape, entry.dtype);
    stream.read(static_cast<char*>(tensor.data_ptr()),
                static_cast<std::streamsize>(tensor.nbytes()));
    tensors.insert(entry.name, std::move(tensor));
  }
  if (!stream) throw Error("cannot be read: {}", std::strerror(errno));
  return tensors;
}

std::string make_header(const Tensors& tensors, const Metadata& metadata) {
  // The format wants no key order; this one is that of the data.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  uint64_t begin = 0;
  for (const auto& item : tensors) {
    const at::Tensor& tensor = item.value();
    const uint64_t end = begin + tensor.nbytes();
    header[item.key()] = {{"dtype", dtype_name(item.key(), tensor.scalar_type())},
                          {"shape", tensor.sizes().vec()},
                          {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

}  // namespace

Tensors read_safetensors(const fs::path& path, Metadata* metadata) {
  require_file(path, "safetensors file");
  try {
    return read(path, metadata);
  } catch (const Error& error) {
    throw Error("{}: {}", path.string(), error.what());
  } catch (const json::exception& error) {
    throw Error("{}: header is not as in a safetensors file: {}", path.string(), error.what());
  }
}

void write_safetensors(const fs::path& path, const Tensors& tensors, const Metadata& metadata) {
  const std::string header = make_header(tensors, metadata);
  write_whole(path, [&](const fs::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary);
    const uint64_t size = header.size();
    stream.write(reinterpret_cast<const char*>(&size), sizeof size);
    stream.write(header.data(), static_cast<std::streamsize>(size));
    for (const auto& item : tensors) {
      const at::Tensor tensor = item.value().cpu().contiguous();
      stream.write(static_cast<const char*>(tensor.data_ptr()),
                   static_cast<std::streamsize>(tensor.nbytes()));
    }
    stream.close();
    if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
  });
}

}  // namespace mobileone
