#include "mobileone/study/latency_study.h"

#include <ATen/Version.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include "mobileone/report/bars.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/log.h"
#include "mobileone/util/machine.h"

namespace mobileone {
namespace {

std::string millions(int64_t count) {
  return fmt::format("{:.2f}", 1e-6 * static_cast<double>(count));
}

StudyRow count_row(const StudyNetwork& network, int64_t size) {
  StudyRow row;
  row.name = network.name;
  row.group = network.group;
  const auto operators =
      count_operators(network.forward, torch::randn({1, 3, size, size}), network.buffers);
  row.counts = total_counts(operators);
  for (const auto& counts : operators) {
    if (!counts.known) row.unknown.push_back(counts.name);
  }
  return row;
}

std::string relative_chart(const std::string& title, const LatencyStudy& study) {
  const double first = study.rows.front().latency.median;
  BarChart chart = {.title = title,
                    .x = {.label = fmt::format("latency, relative to {}", study.rows.front().name)},
                    .bars = {}};
  for (const auto& [name, group, counts, unknown, latency] : study.rows) {
    chart.bars.push_back(
        {name, latency.median / first, latency.interval.low / first, latency.interval.high / first,
         fmt::format("{:.2f}×, {:.2f} ms", latency.median / first, latency.median)});
  }
  return to_svg(chart);
}

}  // namespace

LatencyStudy measure_study(const std::vector<StudyNetwork>& networks, const LatencyConfig& config) {
  LatencyStudy study;
  study.config = config;
  std::vector<TimedModel> timed;
  for (const auto& network : networks) {
    log::info("counting the operators of {}", network.name);
    study.rows.push_back(count_row(network, config.size));
    timed.push_back({network.name, network.forward});
  }
  log::info("timing {} networks, {} rounds with {} thread(s)", timed.size(), config.rounds,
            config.threads);
  const LatencyResults results = measure_latency(timed, {.batch = config.batch,
                                                         .size = config.size,
                                                         .threads = config.threads,
                                                         .rounds = config.rounds});
  for (size_t i = 0; i < timed.size(); ++i) study.rows[i].latency = results.models[i];
  study.doubts = results.doubts();
  for (const auto& doubt : study.doubts) log::warning("not quiet: {}", doubt);
  return study;
}

std::string study_csv(const LatencyStudy& study) {
  std::string csv =
      "name,group,macs,parameters,activations,bytes,unknown_operators,min_ms,median_ms,"
      "median_low_ms,median_high_ms,p95_ms,first_ms,first_call_mib,threads,batch,size\n";
  for (const auto& [name, group, counts, unknown, latency] : study.rows) {
    csv += fmt::format(
        "{},{},{},{},{},{},{},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.4f},{:.1f},{},{},{}\n",
        csv_field(name), csv_field(group), counts.macs, counts.parameters, counts.activations,
        counts.bytes, fmt::join(unknown, " "), latency.minimum, latency.median,
        latency.interval.low, latency.interval.high, latency.p95, latency.first, latency.memory_mib,
        study.config.threads, study.config.batch, study.config.size);
  }
  return csv;
}

Table study_table(const LatencyStudy& study, bool relative) {
  Table table;
  table.header = {"network",     "MACs, M",    "parameters, M",      "activations, M",
                  "traffic, MB", "median, ms", "95 % of median, ms", "minimum, ms",
                  "p95, ms"};
  if (relative) table.header.insert(table.header.begin() + 1, "relative");
  for (const auto& [name, group, counts, unknown, latency] : study.rows) {
    std::vector<std::string> fields = {
        name,
        millions(counts.macs) + (counts.known ? "" : "+"),
        millions(counts.parameters),
        millions(counts.activations),
        millions(counts.bytes),
        fmt::format("{:.3f}", latency.median),
        fmt::format("{:.3f} to {:.3f}", latency.interval.low, latency.interval.high),
        fmt::format("{:.3f}", latency.minimum),
        fmt::format("{:.3f}", latency.p95)};
    if (relative) {
      fields.insert(fields.begin() + 1,
                    fmt::format("{:.2f}", latency.median / study.rows.front().latency.median));
    }
    table.rows.push_back(std::move(fields));
  }
  return table;
}

std::string study_notes(const LatencyStudy& study) {
  const auto& config = study.config;
  std::string body = html::paragraph(fmt::format(
      "Latency: batch {}, {}×{} px, {} thread(s), {} rounds of five calls of each network in turn; "
      "the interval of the median is by bootstrap over rounds. MACs, parameters, activations (what "
      "convolutions and matrix products put out) and memory traffic (what operators read and "
      "write, "
      "each tensor once) are of one image, counted as operators are dispatched. Seed {}.",
      config.batch, config.size, config.size, config.threads, config.rounds, config.seed));
  body += html::paragraph(describe_machine_for_page());
  std::vector<std::string> doubts;
  for (const auto& doubt : study.doubts) doubts.push_back("Not quiet: " + doubt + ".");
  for (const auto& row : study.rows) {
    if (row.unknown.empty()) continue;
    doubts.push_back(fmt::format("{}: multiply-adds of {} are unknown and not counted.", row.name,
                                 fmt::join(row.unknown, ", ")));
  }
  return body + html::doubts(doubts);
}

std::string relative_page(const std::string& title, const std::string& introduction,
                          const LatencyStudy& study) {
  return html::page(title, html::paragraph(introduction) +
                               html::figures({relative_chart(title, study)}) +
                               html::table(study_table(study, /*relative=*/true)) +
                               html::heading("How it was measured") + study_notes(study));
}

std::string describe_machine_for_page() {
  const Machine machine = this_machine();
  return fmt::format("Machine: {}, {} cores, {} of memory, {}. LibTorch {}, instructions {}.",
                     machine.processor, machine.cores, machine.memory, machine.system,
                     TORCH_VERSION, at::get_cpu_capability());
}

}  // namespace mobileone
