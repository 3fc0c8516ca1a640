#include <fmt/ranges.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "mobileone/bench/statistics.h"
#include "mobileone/eval/model.h"
#include "mobileone/report/chart.h"
#include "mobileone/study/latency_studies.h"
#include "mobileone/study/latency_study.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// What may or may not tell latency, and what the paper found (table 1, Spearman's ρ).
struct Metric {
  std::string name;
  std::string axis;
  int64_t OperatorCounts::*field;
  std::string paper_mobile, paper_cpu;
};

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> all = {
      {"MACs", "multiply-adds", &OperatorCounts::macs, "0.47", "0.06"},
      {"parameters", "parameters", &OperatorCounts::parameters, "0.30", "0.07"},
      {"activations", "activations", &OperatorCounts::activations, "–", "–"},
      {"memory traffic", "memory traffic, bytes", &OperatorCounts::bytes, "–", "–"}};
  return all;
}

/// The list with each folder's files in its place.
std::vector<std::string> expand_folders(const std::vector<std::string>& models) {
  std::vector<std::string> expanded;
  for (const auto& model : models) {
    if (!fs::exists(model) && model.find('/') != std::string::npos) {
      throw Error(
          "models: {}: no such file or folder; `python tools/export_peers.py {}` makes networks "
          "of others",
          model, model);
    }
    if (!fs::is_directory(model)) {
      expanded.push_back(model);
      continue;
    }
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(model)) {
      if (entry.path().extension() == ".pt") files.push_back(entry.path().string());
    }
    if (files.empty()) {
      throw Error(
          "models: {}: holds no TorchScript files (*.pt); `python tools/export_peers.py {}` makes "
          "some",
          model, model);
    }
    std::sort(files.begin(), files.end());
    expanded.insert(expanded.end(), files.begin(), files.end());
  }
  return expanded;
}

StudyNetwork network_of(const std::string& what) {
  const Model model = measured_model(what);
  const bool variant = !fs::exists(what);
  if (!variant) return {fs::path(what).stem().string(), "others", model.forward, model.buffers};
  return {model.form == "folded" ? what : what.substr(0, what.find(':')) + " unfolded",
          "MobileOne, " + model.form, model.forward, model.buffers};
}

std::vector<double> values_of(const LatencyStudy& study, const Metric& metric) {
  std::vector<double> values;
  for (const auto& row : study.rows)
    values.push_back(static_cast<double>(row.counts.*metric.field));
  return values;
}

std::vector<double> medians_of(const LatencyStudy& study) {
  std::vector<double> medians;
  for (const auto& row : study.rows) medians.push_back(row.latency.median);
  return medians;
}

/// "0.62 (0.31 to 0.84)": a rank correlation with its interval.
std::string correlation(double (*of)(const std::vector<double>&, const std::vector<double>&),
                        const std::vector<double>& x, const std::vector<double>& y) {
  const Interval interval = bootstrap(std::ssize(x), [&](const std::vector<int64_t>& draw) {
    std::vector<double> drawn_x, drawn_y;
    for (const int64_t i : draw) {
      drawn_x.push_back(x[i]);
      drawn_y.push_back(y[i]);
    }
    return of(drawn_x, drawn_y);
  });
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", of(x, y), interval.low, interval.high);
}

Table correlations(const LatencyStudy& study) {
  Table table;
  table.header = {"against latency", "Spearman’s ρ (95 %)", "Kendall’s τ (95 %)",
                  "paper’s ρ, phone", "paper’s ρ, CPU"};
  const auto latencies = medians_of(study);
  for (const auto& metric : metrics()) {
    const auto values = values_of(study, metric);
    table.rows.push_back({metric.name, correlation(spearman, values, latencies),
                          correlation(kendall, values, latencies), metric.paper_mobile,
                          metric.paper_cpu});
  }
  return table;
}

std::string scatter_chart(const LatencyStudy& study, const Metric& metric) {
  Chart chart = {.title = metric.name + " and latency",
                 .x = {.label = metric.axis, .log = true},
                 .y = {.label = "latency, ms", .log = true},
                 .series = {},
                 .width = 1040,
                 .height = 560};
  std::map<std::string, size_t> series_of;
  for (const auto& row : study.rows) {
    const auto [found, is_new] = series_of.emplace(row.group, chart.series.size());
    if (is_new) {
      chart.series.push_back({.name = row.group,
                              .x = {},
                              .y = {},
                              .color = static_cast<int>(chart.series.size()),
                              .dash = Dash::kNone});
    }
    Series& series = chart.series[found->second];
    series.x.push_back(static_cast<double>(row.counts.*metric.field));
    series.y.push_back(row.latency.median);
    series.labels.push_back(row.name);
  }
  return to_svg(chart);
}

std::string scatter_page(const LatencyStudy& study) {
  std::string body = html::paragraph(fmt::format(
      "{} networks: what is counted of them against what a forward pass takes. Rank correlations "
      "with 95 % intervals by bootstrap over networks (2000 draws); the paper’s are of its own "
      "networks (table 1: a phone, and a CPU).",
      study.rows.size()));
  body += html::table(correlations(study));
  for (const auto& metric : metrics()) body += html::figures({scatter_chart(study, metric)});
  body += html::heading("Networks") + html::table(study_table(study, /*relative=*/false)) +
          html::heading("How it was measured") + study_notes(study);
  return html::page("Do multiply-adds and parameters tell latency?", body);
}

}  // namespace

void study_scatter(const ScatterStudy& study) {
  constexpr size_t kFewest = 3;
  const auto models = expand_folders(study.models);
  if (models.size() < kFewest) {
    throw Error("models: expected at least {} networks to correlate, got {}", kFewest,
                models.size());
  }
  const fs::path dir = study.output;
  require_outputs(dir, {"scatter.html", "scatter.csv"});
  torch::manual_seed(static_cast<uint64_t>(study.latency.seed));
  std::vector<StudyNetwork> networks;
  for (const auto& model : models) networks.push_back(network_of(model));
  const LatencyStudy measured = measure_study(networks, study.latency);
  write_whole(dir / "scatter.html", scatter_page(measured));
  write_whole(dir / "scatter.csv", study_csv(measured));
}

}  // namespace mobileone
