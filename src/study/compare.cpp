#include "mobileone/study/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "mobileone/config/difference.h"
#include "mobileone/config/reader.h"
#include "mobileone/report/bars.h"
#include "mobileone/report/page.h"
#include "mobileone/report/run.h"
#include "mobileone/report/text.h"
#include "mobileone/study/latency_study.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

constexpr const char* kNone = "–";

/// A run with its best weights, where it has any.
struct Judged {
  TrainingRun run;
  std::optional<Config> config;
  std::optional<Model> model;
  std::optional<Judgement> judgement;
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
std::string judge_run(Judged& judged, const CompareOptions& options) {
  if (!judged.model) {
    return html::paragraph(judged.run.name + ": has no best.pth; its weights are not compared.");
  }
  const std::string data = options.data.empty() ? judged.model->config.data.val : options.data;
  if (data.empty()) {
    return html::paragraph(judged.run.name + ": names no data.val; give --data.");
  }
  try {
    log::info("{}: evaluating on {}", judged.run.name, data);
    judged.judgement = options.judge(*judged.model, data);
    return "";
  } catch (const Error& error) {
    if (!options.data.empty()) throw;
    return html::paragraph(fmt::format("{}: not evaluated: {}", judged.run.name, error.what()));
  }
}

/// A row a class, the classes that differ most first.
std::string class_table(const std::vector<const Judged*>& runs) {
  struct Row {
    double range;
    std::vector<std::string> fields;
  };
  const Judgement& first = *runs[0]->judgement;
  std::vector<Row> rows;
  for (size_t c = 0; c < first.classes.size(); ++c) {
    double low = 100, high = 0;
    Row row{0, {first.classes[c].name, first.classes[c].extent}};
    for (const auto* judged : runs) {
      const double score = judged->judgement->classes[c].score;
      low = std::fmin(low, score);
      high = std::fmax(high, score);
      row.fields.push_back(number_or(kNone, score));
    }
    row.range = std::max(0.0, high - low);
    row.fields.push_back(fmt::format("{:.2f}", row.range));
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.range > b.range; });
  Table table;
  table.header = {"class", first.extent};
  for (const auto* judged : runs) {
    table.header.push_back(fmt::format("{}: {}, %", judged->run.name, first.score));
  }
  table.header.push_back("range");
  for (auto& row : rows) table.rows.push_back(std::move(row.fields));
  return html::table(table);
}

bool same_classes(const Judgement& a, const Judgement& b) {
  return std::ranges::equal(a.classes, b.classes, [](const auto& x, const auto& y) {
    return x.name == y.name && x.extent == y.extent;
  });
}

/// Of five classes there is no top-5.
void leave_out_empty_columns(Table& table) {
  for (size_t column = table.header.size(); column-- > 0;) {
    if (!std::ranges::all_of(table.rows, [&](const auto& row) { return row[column] == kNone; })) {
      continue;
    }
    const auto at = static_cast<std::ptrdiff_t>(column);
    table.header.erase(table.header.begin() + at);
    for (auto& row : table.rows) row.erase(row.begin() + at);
  }
}

std::string accuracy_part(std::vector<Judged>& runs, const CompareOptions& options) {
  std::string body = html::heading("Accuracy of the best weights");
  std::string notes;
  std::vector<const Judged*> evaluated;
  Table table;
  for (auto& judged : runs) {
    notes += judge_run(judged, options);
    if (!judged.judgement) continue;
    const Judgement& judgement = *judged.judgement;
    if (evaluated.empty()) {
      table.header = {"run", "weights"};
      table.header.insert(table.header.end(), judgement.header.begin(), judgement.header.end());
    } else if (judgement.header != evaluated[0]->judgement->header) {
      notes += html::paragraph(fmt::format("{}: is of another task than {}; not compared.",
                                           judged.run.name, evaluated[0]->run.name));
      continue;
    }
    table.rows.push_back(
        {judged.run.name, std::string(to_string(judged.model->weights.value_or(Weights::kRaw)))});
    table.rows.back().insert(table.rows.back().end(), judgement.row.begin(), judgement.row.end());
    evaluated.push_back(&judged);
  }
  leave_out_empty_columns(table);
  if (!evaluated.empty()) body += html::table(table);
  body += notes;
  if (evaluated.size() < 2) return body;
  body += html::heading("Accuracy by class");
  for (const auto* judged : evaluated) {
    if (same_classes(*evaluated[0]->judgement, *judged->judgement)) continue;
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
    Judged judged{.run = read[i], .config = {}, .model = {}, .judgement = {}};
    const fs::path dir = fs::is_directory(folders[i]) ? folders[i] : folders[i].parent_path();
    if (!read[i].config.empty()) {
      judged.config = parse_config(read[i].config, (dir / "config.yaml").string());
    }
    if (fs::exists(dir / "best.pth")) judged.model = load_folded_model(dir / "best.pth");
    runs.push_back(std::move(judged));
  }
  std::string body = run_curves(read) + html::heading("What the configurations set differently") +
                     difference_table(runs) + accuracy_part(runs, options) +
                     latency_part(runs, options.latency);
  return html::page(fmt::format("{} training runs compared", runs.size()), body);
}

}  // namespace mobileone
