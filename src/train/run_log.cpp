#include "mobileone/train/run_log.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

int64_t length_of(const RunLog::Lengths& lengths, const std::string& name) {
  const auto found = lengths.find(name);
  return found == lengths.end() ? 0 : found->second;
}

/// Event files of the run so far, cut to their lengths; those of ours that are younger are removed.
RunLog::Lengths cut_event_files(const fs::path& dir, const RunLog::Lengths& lengths) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(dir)) {
    if (is_event_file(entry.path())) files.push_back(entry.path());
  }
  RunLog::Lengths kept;
  for (const fs::path& file : files) {
    const auto found = lengths.find(file.filename().string());
    if (found == lengths.end()) {
      if (is_own_event_file(file)) fs::remove(file);
    } else {
      kept.insert(*found);
      AppendFile(file, std::min(found->second, static_cast<int64_t>(fs::file_size(file))));
    }
  }
  return kept;
}

/// TensorBoard groups scalars by what stands before the slash: val_top1 is val/top1. What is of no
/// group by itself ("lr", "train_loss") belongs to `group`.
Metrics scalars(const Metrics& metrics, std::string_view group) {
  Metrics tagged;
  for (const auto& [name, value] : metrics) {
    const size_t underscore = name.find('_');
    const std::string first = name.substr(0, underscore);
    const bool grouped = first == "val" || first == "ema" || first == "train";
    tagged.emplace_back(fmt::format("{}/{}", grouped && first != "train" ? first : group,
                                    grouped ? name.substr(underscore + 1) : name),
                        value);
  }
  return tagged;
}

/// The names of a file's columns; none where nothing is written yet.
std::vector<std::string> columns_of(const AppendFile& file) {
  if (file.length() == 0) return {};
  const std::string text = read_file(file.path());
  std::istringstream header(text.substr(0, text.find('\n')));
  std::vector<std::string> names;
  for (std::string name; std::getline(header, name, ',');) names.push_back(name);
  return names;
}

std::string json_line(nlohmann::ordered_json line, const Metrics& metrics) {
  for (const auto& [name, value] : metrics) line[name] = value;
  return line.dump() + "\n";
}

/// Bytes of the whole lines that a file holds; 0 if it is not there.
int64_t whole_lines(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return 0;
  return static_cast<int64_t>(read_file(path).rfind('\n') + 1);
}

}  // namespace

RunLog::Lengths RunLog::lengths_there(const fs::path& dir, Lengths lengths, bool accept_changes) {
  for (const char* name : {"metrics.csv", "log.jsonl"}) {
    const fs::path path = dir / name;
    std::error_code error;
    const bool there = fs::exists(path, error);
    const int64_t size = there ? static_cast<int64_t>(fs::file_size(path)) : 0;
    const auto known = lengths.find(name);
    if (known == lengths.end() || size >= known->second) continue;
    const std::string what =
        there ? fmt::format("has {} bytes of the {} that the run wrote", size, known->second)
              : fmt::format("is gone, and with it {} bytes of the run's", known->second);
    if (!accept_changes) {
      throw Error("{}: {}; put it back, or go on without what it lacks with --accept-changes",
                  path.string(), what);
    }
    log::warning("{}: {}; it goes on without them", path.string(), what);
    known->second = whole_lines(path);
  }
  return lengths;
}

RunLog::RunLog(const fs::path& dir, const Lengths& lengths, int64_t step, bool json)
    : earlier_events_(cut_event_files(dir, lengths)),
      metrics_(dir / "metrics.csv", length_of(lengths, "metrics.csv")),
      columns_(columns_of(metrics_)),
      events_(dir, step) {
  // Once begun it goes on, so that it has no holes.
  if (json || lengths.contains("log.jsonl"))
    json_.emplace(dir / "log.jsonl", length_of(lengths, "log.jsonl"));
}

void RunLog::add_step(int64_t epoch, int64_t step, const Metrics& metrics) {
  events_.add_scalars(step, scalars(metrics, "train"));
  if (json_)
    json_->append(json_line({{"kind", "step"}, {"epoch", epoch}, {"step", step}}, metrics));
}

void RunLog::add_epoch(int64_t step, const Metrics& row) {
  if (columns_.empty()) {
    for (const auto& [name, value] : row) columns_.push_back(name);
    metrics_.append(fmt::format("{}\n", fmt::join(columns_, ",")));
  }
  std::vector<std::string> values;
  for (const auto& column : columns_) {
    const auto found = std::ranges::find(row, column, &Metrics::value_type::first);
    values.push_back(found == row.end() ? "" : fmt::format("{}", found->second));
  }
  metrics_.append(fmt::format("{}\n", fmt::join(values, ",")));
  events_.add_scalars(step, scalars(row, "epoch"));
  if (json_) json_->append(json_line({{"kind", "epoch"}}, row));
}

RunLog::Lengths RunLog::sync() {
  Lengths lengths = earlier_events_;
  const auto note = [&](AppendFile& file) {
    file.sync();
    lengths[file.path().filename().string()] = file.length();
  };
  note(metrics_);
  note(events_.file());
  if (json_) note(*json_);
  return lengths;
}

}  // namespace mobileone
