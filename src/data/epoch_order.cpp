#include "mobileone/data/epoch_order.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace mobileone {
namespace {

std::vector<int64_t> shuffled_stretches(std::vector<int64_t> starts, int64_t size, Random& random) {
  std::vector<int64_t> stretches(starts.size());
  std::iota(stretches.begin(), stretches.end(), 0);
  random.shuffle(stretches);
  starts.push_back(size);
  std::vector<int64_t> order;
  order.reserve(size);
  for (const int64_t stretch : stretches) {
    for (int64_t i = starts[stretch]; i < starts[stretch + 1]; ++i) order.push_back(i);
  }
  return order;
}

/// What comes out of a buffer that a random image leaves whenever another comes, or none is left to
/// come.
std::vector<int64_t> through_buffer(std::vector<int64_t> stream, int64_t buffer, Random& random) {
  std::vector<int64_t> held(stream.begin(),
                            stream.begin() + std::min<int64_t>(buffer, std::ssize(stream)));
  int64_t next = std::ssize(held);
  for (int64_t& place : stream) {
    int64_t& drawn = held[random.integer(std::ssize(held))];
    // `next` is ahead of `place`, so that what comes next has not been overwritten.
    const int64_t coming = next < std::ssize(stream) ? stream[next++] : -1;
    place = drawn;
    drawn = coming >= 0 ? coming : held.back();
    if (coming < 0) held.pop_back();
  }
  return stream;
}

}  // namespace

std::vector<int64_t> stored_order(const ImageList& list) {
  std::vector<int64_t> order(list.size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::vector<int64_t> shuffled_order(const ImageList& list, int64_t buffer, Random& random) {
  const std::vector<int64_t> stretches = list.storage->stretches();
  if (!stretches.empty()) {
    return through_buffer(shuffled_stretches(stretches, list.size(), random), buffer, random);
  }
  std::vector<int64_t> order = stored_order(list);
  random.shuffle(order);
  return order;
}

std::vector<int64_t> balanced_order(const ImageList& list, Random& random) {
  std::map<int32_t, std::vector<int64_t>> by_label;
  for (int64_t i = 0; i < list.size(); ++i) by_label[list.labels[i]].push_back(i);
  std::vector<std::vector<int64_t>> classes;
  for (auto& [label, images] : by_label) classes.push_back(std::move(images));
  random.shuffle(classes);  // the first ones give one more
  const auto count = std::ssize(classes);
  std::vector<int64_t> order;
  order.reserve(list.size());
  for (int64_t c = 0; c < count; ++c) {
    std::vector<int64_t>& images = classes[c];
    const int64_t wanted = list.size() / count + (c < list.size() % count ? 1 : 0);
    for (int64_t i = 0; i < wanted; ++i) {
      const int64_t pass = i / std::ssize(images), place = i % std::ssize(images);
      if (place == 0) random.shuffle(images);
      order.push_back(images[place] + list.size() * pass);
    }
  }
  random.shuffle(order);
  return order;
}

}  // namespace mobileone
