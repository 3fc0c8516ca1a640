#include "mobileone/study/branches.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "mobileone/config/difference.h"
#include "mobileone/config/reader.h"
#include "mobileone/report/bars.h"
#include "mobileone/report/page.h"
#include "mobileone/report/run.h"
#include "mobileone/study/latency_study.h"
#include "mobileone/train/run_folder.h"
#include "mobileone/train/trainer.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/log.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

/// A run of the grid.
struct GridRun {
  size_t cell;
  int64_t seed;
  Config config;

  fs::path dir() const { return config.output.dir; }
};

/// What a finished run came to.
struct Outcome {
  size_t cell;
  int64_t seed;
  double top1;     ///< percent, of the last epoch: the better of the weights and their average
  double seconds;  ///< of training
};

/// A cell's name as that of a folder: "no-scale-branch", "k-4".
std::string folder_name(const std::string& name) {
  std::string folder;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
    if (plain) {
      folder += c;
    } else if (!folder.empty() && folder.back() != '-') {
      folder += '-';
    }
  }
  return folder;
}

void require_grid(const BranchesStudy& study) {
  if (study.recipe.empty()) throw Error("recipe: expected a training configuration, got none");
  if (study.cells.empty()) throw Error("cells: expected at least one, got none");
  if (study.seeds.empty()) throw Error("seeds: expected at least one, got none");
  std::map<std::string, std::string> names;
  for (const auto& cell : study.cells) {
    const std::string folder = folder_name(cell.name);
    if (folder.empty() || folder[0] == '.') {
      throw Error("cells: name '{}': expected letters or digits, for its runs' folder", cell.name);
    }
    const auto [other, is_new] = names.emplace(folder, cell.name);
    if (!is_new) {
      throw Error("cells: names '{}' and '{}': expected different folders, both are {}",
                  other->second, cell.name, folder);
    }
  }
}

std::vector<GridRun> grid_runs(const BranchesStudy& study) {
  std::vector<GridRun> runs;
  for (const int64_t seed : study.seeds) {
    for (size_t i = 0; i < study.cells.size(); ++i) {
      const auto& cell = study.cells[i];
      const fs::path dir =
          fs::path(study.output) / "runs" / fmt::format("{}-seed{}", folder_name(cell.name), seed);
      std::vector<std::string> set = study.set;
      set.insert(set.end(), cell.set.begin(), cell.set.end());
      set.push_back(fmt::format("runtime.seed={}", seed));
      runs.push_back({i, seed, load_config(study.recipe, set)});
      runs.back().config.output.dir = dir.string();
    }
  }
  return runs;
}

/// What changes nothing of what a run comes to, or is resolved from its data.
bool may_differ(const ConfigDifference& difference) {
  return difference.scope == Scope::kMachine || difference.scope == Scope::kOutput ||
         difference.key == "model.num_classes";
}

void require_same_config(const GridRun& run) {
  const fs::path file = run.dir() / "config.yaml";
  if (!fs::exists(file)) return;
  for (const auto& difference : differences(load_config(file), run.config)) {
    if (may_differ(difference)) continue;
    throw Error(
        "{}: was trained with {}: {}, the study now says {}; remove the folder, or set it back",
        run.dir().string(), difference.key, difference.first, difference.second);
  }
}

/// Of a run that has reached its last epoch; nothing of others.
std::optional<Outcome> outcome_of(const GridRun& run) {
  if (!has_checkpoint(run.dir())) return std::nullopt;
  const RunMetrics metrics = read_runs({run.dir()}).front().metrics;
  if (metrics["epoch"].back() < static_cast<double>(run.config.schedule.epochs)) {
    return std::nullopt;
  }
  const double average = metrics["ema_top1"].back(), raw = metrics["val_top1"].back();
  double seconds = 0;
  for (const double epoch : metrics["seconds"]) seconds += epoch;
  return Outcome{run.cell, run.seed, std::fmax(average, raw), seconds};
}

struct Spread {
  double mean = NAN, deviation = NAN;  ///< of a sample; NaN of too few values

  double low() const { return mean - deviation; }
  double high() const { return mean + deviation; }
  std::string text(int decimals) const {
    if (!std::isfinite(mean)) return "–";
    if (!std::isfinite(deviation)) return fmt::format("{:.{}f}", mean, decimals);
    return fmt::format("{:.{}f} ± {:.{}f}", mean, decimals, deviation, decimals);
  }
};

Spread spread(const std::vector<Outcome>& outcomes, size_t cell, double Outcome::*field) {
  std::vector<double> values;
  for (const auto& outcome : outcomes) {
    if (outcome.cell == cell) values.push_back(outcome.*field);
  }
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / count) * (value - sum / count);
  return {sum / count, values.size() > 1 ? std::sqrt(squares / (count - 1)) : NAN};
}

std::string grid_csv(const BranchesStudy& study, const std::vector<Outcome>& outcomes) {
  std::string csv = "cell,seed,top1,training_seconds,paper_imagenet_top1\n";
  for (const auto& [cell, seed, top1, seconds] : outcomes) {
    const auto& row = study.cells[cell];
    csv += fmt::format("{},{},{:.2f},{:.1f},{}\n", csv_field(row.name), seed, top1, seconds,
                       row.paper > 0 ? fmt::format("{}", row.paper) : "");
  }
  return csv;
}

std::string chart_of(const BranchesStudy& study, const std::vector<Outcome>& outcomes,
                     const std::string& title, const std::string& axis, double Outcome::*field,
                     bool dots) {
  BarChart chart = {.title = title, .x = {.label = axis}, .bars = {}, .dots = dots};
  for (size_t i = 0; i < study.cells.size(); ++i) {
    const Spread values = spread(outcomes, i, field);
    chart.bars.push_back(
        {study.cells[i].name, values.mean, values.low(), values.high(), values.text(1)});
  }
  return to_svg(chart);
}

Table grid_table(const BranchesStudy& study, const std::vector<Outcome>& outcomes) {
  Table table;
  table.header = {"setting",
                  "changes",
                  "runs",
                  "top-1, %",
                  "against the first",
                  "training time, s",
                  "paper, ImageNet top-1, %"};
  const double first = spread(outcomes, 0, &Outcome::top1).mean;
  for (size_t i = 0; i < study.cells.size(); ++i) {
    const auto& cell = study.cells[i];
    const Spread top1 = spread(outcomes, i, &Outcome::top1);
    const auto runs = std::count_if(outcomes.begin(), outcomes.end(),
                                    [&](const Outcome& outcome) { return outcome.cell == i; });
    const double gain = top1.mean - first;
    std::string changes;
    for (const auto& change : cell.set) changes += (changes.empty() ? "" : ", ") + change;
    table.rows.push_back({cell.name, changes, fmt::format("{}", runs), top1.text(2),
                          i > 0 && std::isfinite(gain)
                              ? fmt::format("{}{:.2f}", gain < 0 ? "−" : "+", std::abs(gain))
                              : "–",
                          spread(outcomes, i, &Outcome::seconds).text(1),
                          cell.paper > 0 ? fmt::format("{:.1f}", cell.paper) : "–"});
  }
  return table;
}

std::string grid_page(const BranchesStudy& study, const std::vector<Outcome>& outcomes) {
  const size_t wanted = study.cells.size() * study.seeds.size();
  std::string body = html::paragraph(fmt::format(
      "{} of {} runs of {}, {} seed(s) each; mean ± standard deviation over seeds. Accuracy is the "
      "last epoch’s, of the weights or their moving average, whichever is better; the time is that "
      "of training alone.",
      outcomes.size(), wanted, study.recipe, study.seeds.size()));
  body += html::figures({chart_of(study, outcomes, "Accuracy", "top-1, %", &Outcome::top1, true)});
  body += html::figures({chart_of(study, outcomes, "Training time", "seconds of training",
                                  &Outcome::seconds, false)});
  body += html::table(grid_table(study, outcomes));
  body += html::heading("How it was measured") + html::paragraph(describe_machine_for_page());
  std::string shared;
  for (const auto& change : study.set) shared += change + "\n";
  if (!shared.empty()) body += html::details("What all runs change", html::preformatted(shared));
  body += html::details(study.recipe, html::preformatted(read_file(study.recipe)));
  return html::page("Train-time branches and training settings", body);
}

void write_grid(const BranchesStudy& study, const std::vector<Outcome>& outcomes) {
  const fs::path dir = study.output;
  write_whole(dir / "branches.html", grid_page(study, outcomes));
  write_whole(dir / "branches.csv", grid_csv(study, outcomes));
}

}  // namespace

int study_branches(const BranchesStudy& study) {
  require_grid(study);
  const std::vector<GridRun> runs = grid_runs(study);
  for (const auto& run : runs) require_same_config(run);
  require_outputs(study.output, {"branches.html", "branches.csv"}, {study.recipe});
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto& run = runs[i];
    auto outcome = outcome_of(run);
    if (!outcome) {
      log::info("run {} of {}: {}", i + 1, runs.size(), run.dir().string());
      const int signal = train(run.config, {.resume = has_run(run.dir()), .from = {}});
      if (signal != 0) return signal;
      outcome = outcome_of(run);
    }
    outcomes.push_back(outcome.value());
    write_grid(study, outcomes);
  }
  return 0;
}

}  // namespace mobileone
