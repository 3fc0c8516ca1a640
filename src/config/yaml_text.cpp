#include "yaml_text.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <map>
#include <sstream>
#include <vector>

namespace mobileone {
namespace {

constexpr size_t kDeepest = 64, kMostValues = 10'000;

/// Passes over a document, remembers where it started and refuses an exorbitant one, before any
/// node of it is made.
class DocumentGuard : public YAML::EventHandler {
 public:
  const YAML::Mark& start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string&) override {
    add(mark, anchor, 1);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto size = sizes_.find(anchor);
    if (size == sizes_.end()) throw YAML::ParserException(mark, "an alias within its own anchor");
    add(mark, 0, size->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YAML::Mark mark;
    YAML::anchor_t anchor;
    size_t size = 1;
  };

  void open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    open_.push_back({mark, anchor});
    if (open_.size() > kDeepest) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {} levels", kDeepest));
    }
  }

  void close() {
    const Open closed = open_.back();
    open_.pop_back();
    add(closed.mark, closed.anchor, closed.size);
  }

  /// A finished node of `size` values, part of the innermost open one.
  void add(const YAML::Mark& mark, YAML::anchor_t anchor, size_t size) {
    if (anchor != 0) sizes_[anchor] = size;
    if (open_.empty()) return;
    open_.back().size += size;
    if (open_.back().size > kMostValues) {
      throw YAML::ParserException(mark, fmt::format("more than {} values", kMostValues));
    }
  }

  YAML::Mark start_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, size_t> sizes_;
};

}  // namespace

YAML::Node load_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentGuard guard;
  parser.HandleNextDocument(guard);
  if (parser.HandleNextDocument(guard)) {
    throw YAML::ParserException(guard.start(), "more than one document");
  }
  return YAML::Load(text);
}

}  // namespace mobileone
