#include "mobileone/config/reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "document.h"
#include "mobileone/config/study.h"
#include "mobileone/config/validate.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr uintmax_t kLargestFile = 1 << 20;  // bytes

/// Applies documents one after the other, collects their faults, and answers for the whole.
template <typename Contents>
class Loader {
 public:
  void apply_file(const fs::path& file) {
    require_file(file, "configuration");
    if (fs::file_size(file) > kLargestFile) {
      throw Error("{}: is larger than any configuration ({} bytes, expected at most {})",
                  file.string(), fs::file_size(file), kLargestFile);
    }
    const std::string text = read_file(file);
    const Place place = in_text(file.string());
    chain_.push_back(file);
    if (const auto root = parse(text, place)) {
      apply_base_of(*root, place);
      Document<Contents> document{{}, config_};
      read_document(*root, place, findings_, document);
      config_ = document.config;
    }
    chain_.pop_back();
  }

  void apply_text(const std::string& text, const std::string& origin) {
    const Place place = in_text(origin);
    if (const auto root = parse(text, place)) read_document(*root, place, findings_, config_);
  }

  /// "section.key=value"
  void apply_override(const std::string& text) {
    const Place place = [&](int) { return "command line: " + text; };
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      findings_.report(place(0), "expected section.key=value");
      return;
    }
    const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
    const auto node = parse(value.empty() ? "''" : value, place);
    if (!node) return;
    read_document(nested(key, *node), place, findings_, config_);
  }

  /// Contradictions count only if no document stayed unread that could resolve them.
  Contents finish() {
    if constexpr (std::is_same_v<Contents, Config>) {
      if (config_.model.head == HeadKind::kSsdLite) {
        if (!is_set("data.size")) config_.data.size = kSsdLiteSize;
        if (!is_set("data.eval_crop")) config_.data.eval_crop = kSsdLiteSize;
      }
      if (all_parsed_) {
        for (const Contradiction& found : find_contradictions(config_)) report(found);
      }
    }
    if (!findings_.errors.empty()) throw Error("{}", fmt::join(findings_.errors, "\n"));
    return config_;
  }

  Origins origins() const {
    Origins origins;
    for (const auto& [key, setting] : findings_.settings) {
      origins.emplace(key, on_one_line(setting.place));
    }
    return origins;
  }

 private:
  /// "a.b" and a value as {a: {b: value}}.
  static YAML::Node nested(const std::string& key, const YAML::Node& value) {
    const size_t dot = key.find('.');
    YAML::Node map;
    map[key.substr(0, dot)] = dot == std::string::npos ? value : nested(key.substr(dot + 1), value);
    return map;
  }

  bool is_set(const std::string& key) const { return findings_.settings.contains(key); }

  static Place in_text(const std::string& origin) {
    return [origin](int line) { return fmt::format("{}:{}", origin, line); };
  }

  std::optional<YAML::Node> parse(const std::string& text, const Place& place) {
    auto root = parse_document(text, place, findings_);
    all_parsed_ &= root.has_value();
    return root;
  }

  /// A `base` of another type than text is left to the reader of the whole document.
  void apply_base_of(const YAML::Node& root, const Place& place) {
    const YAML::Node base = root.IsMap() ? root["base"] : YAML::Node();
    if (!base.IsDefined() || !base.IsScalar()) return;
    const fs::path file = (chain_.back().parent_path() / base.Scalar()).lexically_normal();
    try {
      refuse_cycle(file);
      apply_file(file);
    } catch (const Error& error) {
      all_parsed_ = false;
      findings_.report(place(base.Mark().line + 1), fmt::format("base: {}", error.what()));
    }
  }

  void refuse_cycle(const fs::path& file) const {
    const auto first = std::find_if(chain_.begin(), chain_.end(), [&](const fs::path& link) {
      std::error_code not_there;
      return fs::equivalent(link, file, not_there);
    });
    if (first == chain_.end()) return;
    std::string cycle;
    for (auto link = first; link != chain_.end(); ++link) cycle += link->string() + " -> ";
    throw Error("cycle: {}{}", cycle, file.string());
  }

  /// Stands at the first of its keys that was set; the others' places follow the message. Says
  /// nothing where one of them could not be read.
  void report(const Contradiction& found) {
    std::string place, others;
    for (const std::string& key : found.keys) {
      const auto setting = findings_.settings.find(key);
      if (setting == findings_.settings.end()) continue;
      const auto& [where, valid] = setting->second;
      if (!valid) return;
      if (place.empty()) {
        place = where;
      } else if (where != place) {
        others += fmt::format(" (see {})", where);
      }
    }
    findings_.report(place, found.message + others);
  }

  Contents config_;
  Findings findings_;
  std::vector<fs::path> chain_;  ///< files being read, each the base of the one before
  bool all_parsed_ = true;
};

template <typename Contents>
Loader<Contents> load(const fs::path& file, const std::vector<std::string>& overrides) {
  Loader<Contents> loader;
  loader.apply_file(file);
  for (const std::string& override_text : overrides) loader.apply_override(override_text);
  return loader;
}

}  // namespace

Config load_config(const fs::path& file, const std::vector<std::string>& overrides) {
  return load<Config>(file, overrides).finish();
}

TracedConfig load_traced_config(const fs::path& file, const std::vector<std::string>& overrides) {
  auto loader = load<Config>(file, overrides);
  Config config = loader.finish();
  return {std::move(config), loader.origins()};
}

Config parse_config(const std::string& yaml, const std::string& origin) {
  Loader<Config> loader;
  loader.apply_text(yaml, origin);
  return loader.finish();
}

template <typename Study>
Study load_study(const fs::path& file, const std::vector<std::string>& overrides) {
  return load<Study>(file, overrides).finish();
}

template ScatterStudy load_study(const fs::path&, const std::vector<std::string>&);
template ActivationsStudy load_study(const fs::path&, const std::vector<std::string>&);
template BlocksStudy load_study(const fs::path&, const std::vector<std::string>&);
template BranchesStudy load_study(const fs::path&, const std::vector<std::string>&);

}  // namespace mobileone
