#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mobileone/config/config.h"

namespace mobileone {

/// Where each key was set last, by "section.key": "recipes/base.yaml:12", or
/// "command line: optimizer.lr=0.1". A key that is not in it was never set and has its default.
using Origins = std::map<std::string, std::string, std::less<>>;

struct TracedConfig {
  Config config;
  Origins origins;
};

/// Reads a YAML configuration: the defaults, then the file that its `base:` names (a path relative
/// to the file that says it), then the file itself, then `overrides` of the form
/// "section.key=value" with a YAML value. A list replaces the list before it.
///
/// Throws Error with every fault of every document, one a line, as "FILE:LINE: section.key: ...",
/// or "command line: OVERRIDE: section.key: ...": unknown, duplicate, wrongly typed, out-of-range
/// and contradictory keys (see validate.h), YAML that does not parse, files that are not there or
/// larger than 1 MiB.
Config load_config(const std::filesystem::path& file,
                   const std::vector<std::string>& overrides = {});

/// `load_config` that says where each value comes from.
TracedConfig load_traced_config(const std::filesystem::path& file,
                                const std::vector<std::string>& overrides = {});

/// Reads a configuration at hand, such as the one kept inside a checkpoint; `origin` stands for the
/// file name in errors. A text has no folder, so `base:` is an unknown key here. Throws as
/// `load_config`.
Config parse_config(const std::string& yaml, const std::string& origin);

}  // namespace mobileone
