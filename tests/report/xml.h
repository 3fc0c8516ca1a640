#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mobileone/report/text.h"

namespace mobileone {

/// How often a string occurs in a text.
inline int count(std::string_view text, std::string_view what) {
  int found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size()))
    ++found;
  return found;
}

/// What keeps a text from being well-formed XML, as far as our pages use it: one root, elements
/// that nest, quoted attributes, the predefined entities, valid UTF-8. Empty if nothing does.
inline std::string xml_fault(std::string_view text) {
  if (valid_utf8(text) != text) return "invalid UTF-8";
  const auto fault = [&](const std::string& what, size_t at) {
    return what + " at '" + std::string(text.substr(at, 40)) + "'";
  };
  std::vector<std::string> open;
  int roots = 0;
  size_t at = 0;
  if (text.starts_with("<!DOCTYPE html>")) at = text.find('>') + 1;
  while (at < text.size()) {
    if (text[at] == '&') {
      const size_t end = text.find(';', at);
      const auto entity = text.substr(at, end == text.npos ? 0 : end - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;" &&
          entity != "&#39;") {
        return fault("unknown entity", at);
      }
    }
    if (text[at] != '<') {
      const bool space = text[at] == ' ' || text[at] == '\n';
      if (open.empty() && !space) return fault("text outside the root", at);
      ++at;
      continue;
    }
    const size_t begin = at;
    for (++at; at < text.size() && text[at] != '>'; ++at) {
      if (text[at] == '<') return fault("'<' within a tag", begin);
      if (text[at] != '"') continue;
      const size_t end = text.find('"', at + 1);
      if (end == text.npos || text[at - 1] != '=') return fault("attribute", begin);
      if (text.substr(at, end - at).find('<') != text.npos) return fault("'<' quoted", begin);
      at = end;
    }
    if (at == text.size()) return fault("tag is not closed", begin);
    const std::string tag(text.substr(begin + 1, at - begin - 1));
    const std::string name = tag.substr(0, tag.find_first_of(" \n/", 1));
    ++at;
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) return fault("closes nothing", begin);
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      if (open.empty() && roots++ > 0) return fault("a second root", begin);
      open.push_back(name);
    }
  }
  if (!open.empty()) return "<" + open.back() + "> is not closed";
  return roots == 1 ? "" : "no root";
}

}  // namespace mobileone
