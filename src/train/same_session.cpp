#include "mobileone/train/same_session.h"

#include <fmt/format.h>
#include <torch/version.h>

#include "mobileone/config/difference.h"
#include "mobileone/config/reader.h"
#include "mobileone/config/writer.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/file.h"
#include "mobileone/util/version.h"

namespace mobileone {
namespace {

/// What machines may see differently, or only rank 0 heeds.
bool may_differ(Scope scope) {
  return scope == Scope::kPlace || scope == Scope::kMachine || scope == Scope::kOutput;
}

std::string describe_program() {
  const std::string bytes = read_file("/proc/self/exe");
  return fmt::format("mobileone {} ({}, {} bytes with check sum {:08x}), LibTorch {}", version(),
                     revision(), bytes.size(), crc32(bytes), TORCH_VERSION);
}

void require_same_config(const Config& config, const Processes& processes) {
  const auto texts = processes.gather(to_yaml(config));
  const Config first = parse_config(texts[0], "rank 0");
  for (size_t rank = 1; rank < texts.size(); ++rank) {
    const Config other = parse_config(texts[rank], fmt::format("rank {}", rank));
    for (const auto& [key, of_first, of_other, scope] : differences(first, other)) {
      if (may_differ(scope)) continue;
      throw Error(
          "rank {} has another configuration than rank 0: {}: {}, rank 0 has {}; give all "
          "processes the same",
          rank, key, of_other, of_first);
    }
  }
}

}  // namespace

void require_same(const std::string& what, const std::string& own, const Processes& processes) {
  const auto texts = processes.gather(own);
  for (size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank] == texts[0]) continue;
    throw Error("rank {} has another {} than rank 0: {} and {}; give all processes the same", rank,
                what, texts[rank], texts[0]);
  }
}

void require_same_program(const Processes& processes) {
  require_same("program", describe_program(), processes);
}

void require_same_images(const std::string& what, const ImageList* list,
                         const Processes& processes) {
  const std::string own =
      list == nullptr ? "none" : fmt::format("{} images ({})", list->size(), fingerprint(*list));
  require_same(what, own, processes);
}

void require_same_session(const Config& config, const TrainingData& data,
                          const Processes& processes) {
  if (processes.alone()) return;
  require_same_program(processes);
  require_same_config(config, processes);
  require_same_images("set of training images", &data.train, processes);
  require_same_images("set of validation images", data.val ? &*data.val : nullptr, processes);
}

}  // namespace mobileone
