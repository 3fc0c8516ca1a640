#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "mobileone/dist/processes.h"

namespace mobileone {

/// The detections of one class in a set of images, each with a mark of how it did, and how many
/// objects there were to find. What follows of it does not depend on the order of the images, nor
/// on the process that saw them.
template <typename Mark, size_t kCounts = 1>
struct Ranking {
  struct Entry {
    double score;
    int64_t image;  ///< its number
    int64_t place;  ///< among the image's detections of the class, from 0
    Mark mark;
  };
  static_assert(std::is_trivially_copyable_v<Entry>);

  std::array<int64_t, kCounts> objects{};
  std::vector<Entry> entries = {};

  /// The highest score first; equal ones by image and place.
  std::vector<Entry> sorted() const {
    auto result = entries;
    std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) {
      return std::tuple(-a.score, a.image, a.place) < std::tuple(-b.score, b.image, b.place);
    });
    return result;
  }

  void merge(const Ranking& other) {
    for (size_t i = 0; i < kCounts; ++i) objects[i] += other.objects[i];
    entries.insert(entries.end(), other.entries.begin(), other.entries.end());
  }

  /// As bytes, for another process of the same program.
  void append_to(std::string& bytes) const {
    const size_t count = entries.size();
    bytes.append(reinterpret_cast<const char*>(objects.data()), sizeof objects);
    bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
    bytes.append(reinterpret_cast<const char*>(entries.data()), count * sizeof(Entry));
  }
  /// Takes what `append_to` wrote from the front of `bytes`.
  static Ranking take_from(std::string_view& bytes) {
    const auto take = [&bytes](void* target, size_t size) {
      if (size > 0) std::memcpy(target, bytes.data(), size);
      bytes.remove_prefix(size);
    };
    Ranking result;
    size_t count = 0;
    take(result.objects.data(), sizeof result.objects);
    take(&count, sizeof count);
    result.entries.resize(count);
    take(result.entries.data(), count * sizeof(Entry));
    return result;
  }
};

/// Adds what the other processes have to the rankings of all classes.
template <typename Mark, size_t kCounts>
void sum_over(const Processes& processes, std::vector<Ranking<Mark, kCounts>>& classes) {
  if (processes.alone()) return;
  std::string own;
  for (const auto& each : classes) each.append_to(own);
  const std::vector<std::string> all = processes.gather(own);
  for (int64_t rank = 0; rank < processes.size(); ++rank) {
    if (rank == processes.rank()) continue;
    std::string_view bytes = all[static_cast<size_t>(rank)];
    for (auto& each : classes) each.merge(Ranking<Mark, kCounts>::take_from(bytes));
  }
}

}  // namespace mobileone
