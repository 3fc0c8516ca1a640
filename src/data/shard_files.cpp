#include <algorithm>
#include <charconv>
#include <filesystem>

#include "mobileone/data/tar_shards.h"
#include "mobileone/util/error.h"
#include "mobileone/util/lower_case.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMostShards = 1'000'000;

bool is_tar(const fs::path& path) {
  const std::string name = lower_case(path.filename().string());
  return name.ends_with(".tar") || name.ends_with(".tar.gz") || name.ends_with(".tgz");
}

/// -1 if it is none.
int64_t shard_number(std::string_view digits) {
  int64_t value = -1;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  return error == std::errc() && stop == end ? value : -1;
}

/// What the text between two braces stands for.
std::vector<std::string> alternatives(const std::string& text, const std::string& path) {
  std::vector<std::string> result;
  const size_t dots = text.find("..");
  if (dots == std::string::npos) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      result.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return result;
  }
  const std::string first = text.substr(0, dots);
  const int64_t from = shard_number(first), to = shard_number(text.substr(dots + 2));
  if (from < 0 || to < from || to - from >= kMostShards) {
    throw Error("{}: {{{}}} is no range of shards (expected for instance {{000..146}})", path,
                text);
  }
  for (int64_t i = from; i <= to; ++i) {
    result.push_back(fmt::format("{:0{}}", i, first.starts_with('0') ? first.size() : 0));
  }
  return result;
}

/// Appends what `done` + `rest` stands for, where `done` has no braces left.
void expand(const std::string& done, const std::string& rest, const std::string& path,
            std::vector<std::string>& files) {
  const size_t open = rest.find('{');
  if (open == std::string::npos) {
    files.push_back(done + rest);
    if (std::ssize(files) <= kMostShards) return;
    throw Error("{}: stands for more than {} shards", path, kMostShards);
  }
  const size_t close = rest.find('}', open);
  if (close == std::string::npos) throw Error("{}: a brace is not closed", path);
  for (const auto& text : alternatives(rest.substr(open + 1, close - open - 1), path)) {
    expand(done + rest.substr(0, open) + text, rest.substr(close + 1), path, files);
  }
}

}  // namespace

bool names_shards(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return is_tar(path) || (path.find('{') != std::string::npos && !fs::exists(path, error));
  }
  bool has_shards = false;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const bool is_hidden = entry.path().filename().string().starts_with('.');
    if (!is_hidden && entry.is_directory(error)) return false;
    has_shards = has_shards || is_tar(entry.path());
  }
  return has_shards;
}

std::vector<std::string> shard_files(const std::string& path) {
  std::error_code error;
  std::vector<std::string> files;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path)) {
      if (is_tar(entry.path())) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
  } else if (fs::exists(path, error)) {
    files = {path};
  } else {
    expand("", path, path, files);
  }
  return files;
}

}  // namespace mobileone
