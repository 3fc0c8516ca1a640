#include "mobileone/data/shard_index.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "mobileone/data/image_files.h"
#include "mobileone/data/tar_reader.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

constexpr uint64_t kLargestLabelFile = 1 << 20;  // bytes

/// Gathers the files of each sample.
class Indexer {
 public:
  explicit Indexer(const std::string& path) : path_(path), reader_(path) {}

  ShardIndex index() {
    result_.size = reader_.file_size();
    result_.modified = reader_.modified();
    while (auto member = reader_.next()) add(std::move(*member));
    finish_sample();
    return std::move(result_);
  }

 private:
  void add(TarMember member) {
    const size_t slash = member.name.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    const size_t dot = member.name.find('.', base);
    if (dot == std::string::npos || dot == base) return;  // a file of no sample
    if (member.name.substr(0, dot) != sample_) {
      finish_sample();
      sample_ = member.name.substr(0, dot);
    }
    const std::string extension = member.name.substr(dot + 1);
    if (is_image_extension(extension)) {
      if (image_) fail("has two images");
      image_ = std::move(member);
    } else if (::strcasecmp(extension.c_str(), "cls") == 0) {
      number_ = std::move(member);
    } else if (::strcasecmp(extension.c_str(), "json") == 0) {
      json_ = std::move(member);
    }
  }

  void finish_sample() {
    if (image_) {
      if (image_->size > kLargestImageFile) fail("has an image of more than 1 GiB");
      result_.images.push_back({image_->offset, static_cast<uint32_t>(image_->size), label()});
      result_.names.add(image_->name);
    } else if (number_) {
      if (result_.without_image++ == 0)
        result_.first_without_image = path_ + " > " + one_line(sample_);
    }
    image_.reset();
    number_.reset();
    json_.reset();
  }

  int32_t label() {
    std::optional<int64_t> label;
    if (number_) {
      label = number_label(reader_.contents(*number_, kLargestLabelFile));
      if (!label) fail("has a .cls file that is not a number from 0 on");
    } else if (json_) {
      label = json_label(reader_.contents(*json_, kLargestLabelFile));
    }
    if (!label) fail("has no label (expected a .cls file, or a .json with a number as \"label\")");
    return static_cast<int32_t>(*label);
  }

  static std::optional<int64_t> number_label(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
    const size_t end = text.find_last_not_of(kBlanks) + 1;
    int32_t value = -1;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, value);
    if (begin >= end || error != std::errc() || stop != text.data() + end) return std::nullopt;
    return value < 0 ? std::nullopt : std::optional<int64_t>(value);
  }

  static std::optional<int64_t> json_label(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("label")) return std::nullopt;
    const auto& label = json["label"];
    constexpr auto kLargest = std::numeric_limits<int32_t>::max();
    if (!label.is_number_unsigned() || label.get<uint64_t>() > kLargest) return std::nullopt;
    return label.get<int64_t>();
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error("{}: sample `{}` {}", path_, one_line(sample_), what);
  }

  const std::string& path_;
  TarReader reader_;
  ShardIndex result_;
  std::string sample_;
  std::optional<TarMember> image_, number_, json_;
};

}  // namespace

ShardIndex index_shard(const std::string& path) { return Indexer(path).index(); }

}  // namespace mobileone
