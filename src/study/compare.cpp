#include "mobileone/study/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "mobileone/config/difference.h"
#include "mobileone/config/reader.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/evaluate.h"
#include "mobileone/report/bars.h"
#include "mobileone/report/page.h"
#include "mobileone/report/run.h"
#include "mobileone/study/latency_study.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// A run with its best weights, where it has any.
struct Judged {
  TrainingRun run;
  std::optional<Config> config;
  std::optional<Model> model;
  std::optional<Evaluation> evaluation;
};

/// Rows: keys; columns: runs.
std::string difference_table(const std::vector<Judged>& runs) {
  std::map<std::string, std::vector<std::string>> rows;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].config || !runs[0].config) {
      return html::paragraph(runs[i].run.name + ": has no config.yaml to compare.");
    }
    for (const auto& [key, first, other, scope] : differences(*runs[0].config, *runs[i].config)) {
      if (scope == Scope::kOutput) continue;
      auto& row = rows[key];
      row.resize(runs.size(), first);
      row[i] = other;
    }
  }
  if (rows.empty()) return html::paragraph("The configurations are the same.");
  Table table;
  table.header = {"key"};
  for (const auto& judged : runs) table.header.push_back(judged.run.name);
  for (auto& [key, values] : rows) {
    table.rows.push_back({key});
    table.rows.back().insert(table.rows.back().end(), values.begin(), values.end());
  }
  return html::table(table);
}

/// Evaluates where it can; says why where not.
std::string evaluate_run(Judged& judged, const std::string& given_data) {
  if (!judged.model) {
    return html::paragraph(judged.run.name + ": has no best.pth; its weights are not compared.");
  }
  const std::string data = given_data.empty() ? judged.model->config.data.val : given_data;
  if (data.empty()) {
    return html::paragraph(judged.run.name + ": names no data.val; give --data.");
  }
  try {
    log::info("{}: evaluating on {}", judged.run.name, data);
    judged.evaluation = evaluate(*judged.model, read_image_list(data), {});
    return "";
  } catch (const Error& error) {
    if (!given_data.empty()) throw;
    return html::paragraph(fmt::format("{}: not evaluated: {}", judged.run.name, error.what()));
  }
}

/// A row a class, the classes that differ most first.
std::string class_table(const std::vector<const Judged*>& runs) {
  struct Row {
    double range;
    std::vector<std::string> fields;
  };
  std::vector<Row> rows;
  const auto& names = runs[0]->evaluation->class_names;
  std::vector<std::vector<ClassScores>> by_run;
  for (const auto* judged : runs) by_run.push_back(per_class(judged->evaluation->images));
  for (size_t c = 0; c < by_run[0].size(); ++c) {
    double low = 100, high = 0;
    Row row{0, {names[by_run[0][c].label], fmt::format("{}", by_run[0][c].images)}};
    for (const auto& classes : by_run) {
      low = std::min(low, classes[c].recall());
      high = std::max(high, classes[c].recall());
      row.fields.push_back(fmt::format("{:.2f}", classes[c].recall()));
    }
    row.range = high - low;
    row.fields.push_back(fmt::format("{:.2f}", row.range));
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.range > b.range; });
  Table table;
  table.header = {"class", "images"};
  for (const auto* judged : runs) table.header.push_back(judged->run.name + ", %");
  table.header.push_back("range");
  for (auto& row : rows) table.rows.push_back(std::move(row.fields));
  return html::table(table);
}

bool same_classes(const Evaluation& a, const Evaluation& b) {
  const auto counts = [](const Evaluation& evaluation) {
    std::vector<int64_t> images;
    for (const auto& entry : per_class(evaluation.images)) images.push_back(entry.images);
    return images;
  };
  return a.class_names == b.class_names && counts(a) == counts(b);
}

constexpr const char* kNone = "–";

/// Of five classes there is no top-5.
std::string percentage(double value) {
  return std::isfinite(value) ? fmt::format("{:.2f}", value) : kNone;
}

std::string accuracy_part(std::vector<Judged>& runs, const std::string& data) {
  std::string body = html::heading("Accuracy of the best weights");
  std::string notes;
  std::vector<const Judged*> evaluated;
  Table table;
  table.header = {"run",         "weights",  "images",
                  "top-1, %",    "top-5, %", "balanced accuracy, %",
                  "macro F1, %", "loss"};
  for (auto& judged : runs) {
    notes += evaluate_run(judged, data);
    if (!judged.evaluation) continue;
    const auto& meter = judged.evaluation->meter;
    const MeanScores scores = mean_scores(judged.evaluation->images);
    table.rows.push_back({judged.run.name,
                          std::string(to_string(judged.model->weights.value_or(Weights::kRaw))),
                          fmt::format("{}", meter.images()), percentage(meter.top1()),
                          percentage(meter.top5()), percentage(scores.balanced_accuracy),
                          percentage(scores.f1), fmt::format("{:.4f}", meter.loss())});
    evaluated.push_back(&judged);
  }
  constexpr size_t kTop5 = 4;  // a column
  if (std::all_of(table.rows.begin(), table.rows.end(),
                  [](const auto& row) { return row[kTop5] == kNone; })) {
    table.header.erase(table.header.begin() + kTop5);
    for (auto& row : table.rows) row.erase(row.begin() + kTop5);
  }
  if (!evaluated.empty()) body += html::table(table);
  body += notes;
  if (evaluated.size() < 2) return body;
  body += html::heading("Accuracy by class");
  for (const auto* judged : evaluated) {
    if (same_classes(*evaluated[0]->evaluation, *judged->evaluation)) continue;
    return body + html::paragraph("The runs were evaluated on different images; give --data.");
  }
  return body + html::paragraph("The classes that differ most come first.") +
         class_table(evaluated);
}

std::string latency_part(const std::vector<Judged>& runs, LatencyConfig config) {
  std::vector<StudyNetwork> networks;
  for (const auto& judged : runs) {
    if (!judged.model) continue;
    if (networks.empty()) config.size = judged.model->config.data.eval_crop;
    networks.push_back({judged.run.name, "", judged.model->forward, judged.model->buffers});
  }
  if (networks.empty()) return "";
  const LatencyStudy study = measure_study(networks, config);
  BarChart chart = {.title = "Latency of the folded networks", .x = {.label = "ms"}, .bars = {}};
  for (const auto& row : study.rows) {
    chart.bars.push_back({row.name, row.latency.median, row.latency.interval.low,
                          row.latency.interval.high, fmt::format("{:.2f}", row.latency.median)});
  }
  return html::heading("Latency") + html::figures({to_svg(chart)}) +
         html::table(study_table(study, /*relative=*/true)) + study_notes(study);
}

}  // namespace

std::string comparison_page(const std::vector<fs::path>& folders, const CompareOptions& options) {
  std::vector<TrainingRun> read = read_runs(folders);
  std::vector<Judged> runs;
  for (size_t i = 0; i < read.size(); ++i) {
    Judged judged{.run = read[i], .config = {}, .model = {}, .evaluation = {}};
    const fs::path dir = fs::is_directory(folders[i]) ? folders[i] : folders[i].parent_path();
    if (!read[i].config.empty()) {
      judged.config = parse_config(read[i].config, (dir / "config.yaml").string());
    }
    if (fs::exists(dir / "best.pth")) judged.model = load_folded_model(dir / "best.pth");
    runs.push_back(std::move(judged));
  }
  std::string body = run_curves(read) + html::heading("What the configurations set differently") +
                     difference_table(runs) + accuracy_part(runs, options.data) +
                     latency_part(runs, options.latency);
  return html::page(fmt::format("{} training runs compared", runs.size()), body);
}

}  // namespace mobileone
