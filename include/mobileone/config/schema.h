#pragma once

#include <string>

namespace mobileone {

/// A JSON schema (draft 7) of configuration files, `base:` included, for editors that check YAML by
/// one: types, ranges, names, lengths, defaults and meanings of all keys. It accepts what
/// `load_config` accepts, except that it knows nothing of contradictions between keys and of the
/// files that `base:` names.
std::string config_schema();

}  // namespace mobileone
