#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <string>

#include "data/support.h"
#include "mobileone/data/object.h"
#include "mobileone/util/random.h"

namespace mobileone {

/// A set of pictures of noise, some without objects, with crowds, difficult ones, boxes that reach
/// out, and ids with gaps.
inline ImageList write_object_pictures(const TestFolder& folder, int64_t images = 9) {
  auto files = std::make_shared<ImageFiles>(folder.path("pictures/"));
  auto table = std::make_shared<ObjectTable>();
  ImageList list{folder.path("pictures"), {"cat", "dog & co", "köder"}, {}, files};
  at::manual_seed(7);
  for (int64_t i = 0; i < images; ++i) {
    Random random(static_cast<uint64_t>(i));
    const std::string name = fmt::format("{}/{:02}.{}", i < 5 ? "a" : "b", i,  //
                                         i % 3 == 0 ? "png" : "jpg");
    const int64_t height = 60 + i, width = 80;
    const at::Tensor image = at::randint(256, {height, width, 3}, at::kByte);
    const std::string path = folder.path("pictures/" + name);
    i % 3 == 0 ? write_png(path, image) : write_jpeg(path, image, 95);
    files->add(name);
    list.labels.push_back(-1);
    for (int64_t k = 0; k < i % 4; ++k) {
      const double left = random.uniform(-2, 70), top = random.uniform(-1, 50);
      const Box box{left, top, left + random.uniform(1, 20), top + random.uniform(1, 20)};
      table->objects.push_back({.box = box,
                                .label = static_cast<int32_t>(random.integer(3)),
                                .area = random.uniform(0.2, 1) * box.area(),
                                .crowd = k == 1,
                                .difficult = k == 2});
    }
    table->ends.push_back(std::ssize(table->objects));
    table->image_ids.push_back(7 * i);
  }
  table->category_ids = {0, 13, 90};
  list.objects = table;
  return list;
}

}  // namespace mobileone
