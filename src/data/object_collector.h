#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mobileone/data/image_files.h"
#include "mobileone/data/image_list.h"
#include "mobileone/data/object.h"
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"
#include "paths.h"

namespace mobileone {

/// Boxes that annotations should not have.
class UnusualBoxes {
 public:
  void add(const std::string& image) {
    if (count_++ == 0) first_ = image;
  }
  void warn(const std::string& origin, const char* what) const {
    if (count_ == 0) return;
    log::warning("{}: boxes that {}: {}, the first of {}", origin, what, count_, one_line(first_));
  }

 private:
  int64_t count_ = 0;
  std::string first_;
};

/// A list of images with objects in the making.
class ObjectCollector {
 public:
  ObjectCollector(const std::filesystem::path& root, std::string origin)
      : root_(plain(root).string() + "/"), files_(std::make_shared<ImageFiles>(root_)) {
    list_.origin = std::move(origin);
  }

  /// `file` lies below the root, or anywhere. Sizes of 0 are not known.
  void add(const std::string& file, const std::vector<Object>& objects, int64_t width,
           int64_t height) {
    files_->add(file.starts_with(root_) ? file.substr(root_.size())
                                        : std::filesystem::absolute(file).string());
    const auto right = static_cast<double>(width), bottom = static_cast<double>(height);
    for (const Object& object : objects) {
      const Box& box = object.box;
      if (!(box.area() > 0)) {
        empty_.add(file);
      } else if (width > 0 && reaches_out(box, right, bottom)) {
        outside_.add(file);
      }
    }
    table_->objects.insert(table_->objects.end(), objects.begin(), objects.end());
    table_->ends.push_back(std::ssize(table_->objects));
    list_.labels.push_back(-1);
  }

  ObjectTable& table() { return *table_; }

  ImageList finish(std::vector<std::string> class_names) {
    empty_.warn(list_.origin, "are empty");
    outside_.warn(list_.origin, "reach out of their images");
    list_.class_names = std::move(class_names);
    list_.storage = files_;
    list_.objects = table_;
    return std::move(list_);
  }

 private:
  const std::string root_;
  std::shared_ptr<ImageFiles> files_;
  std::shared_ptr<ObjectTable> table_ = std::make_shared<ObjectTable>();
  ImageList list_;
  UnusualBoxes empty_, outside_;
};

}  // namespace mobileone
