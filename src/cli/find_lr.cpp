#include "mobileone/train/find_lr.h"

#include <memory>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/config/reader.h"
#include "mobileone/report/chart.h"
#include "mobileone/report/page.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct FindLrOptions {
  std::string config, output;
  std::vector<std::string> overrides;
  LrTest test;
};

std::string find_lr_csv(const std::vector<LrPoint>& points) {
  std::string text = "lr,loss,smoothed_loss\n";
  for (const auto& point : points) {
    text += fmt::format("{},{},{}\n", point.lr, point.loss, point.smoothed);
  }
  return text;
}

std::string find_lr_page(const std::string& config, const LrFindings& findings) {
  Series losses{.name = "loss of each batch", .x = {}, .y = {}, .color = Series::kReference};
  Series smoothed{.name = "smoothed", .x = {}, .y = {}};
  Series suggested{.name = "suggested", .x = {}, .y = {}, .color = 1, .dash = Dash::kDashed};
  double lowest = findings.points.front().loss, highest = lowest;
  for (const auto& point : findings.points) {
    losses.x.push_back(point.lr);
    losses.y.push_back(point.loss);
    smoothed.x.push_back(point.lr);
    smoothed.y.push_back(point.smoothed);
    lowest = std::min(lowest, point.smoothed);
    highest = std::max(highest, point.smoothed);
  }
  suggested.x = {findings.suggested, findings.suggested};
  suggested.y = {lowest, highest};
  const Chart chart{.title = "Learning-rate range test",
                    .x = {.label = "learning rate", .log = true},
                    .y = {.label = "training loss", .to = 1.1 * highest},
                    .series = {losses, smoothed, suggested},
                    .width = 720,
                    .height = 420};
  const auto number = [](double value) { return fmt::format("{:.3g}", value); };
  const Table table{{"learning rate", "value"},
                    {{"where the loss falls fastest", number(findings.steepest)},
                     {"where the loss is lowest", number(findings.lowest)},
                     {"suggested for optimizer.lr", number(findings.suggested)}}};
  return html::page("Learning rates for " + config,
                    html::figures({to_svg(chart)}) + html::table(table));
}

void find_lr(const FindLrOptions& options) {
  if (options.test.lowest >= options.test.highest) {
    throw Error("--from {} is not below --to {}", options.test.lowest, options.test.highest);
  }
  require_ending("--output", options.output, {".html"});
  const Config config = load_config(options.config, options.overrides);
  const std::filesystem::path page = options.output;
  const auto table = std::filesystem::path(page).replace_extension(".csv");
  if (!page.empty()) {
    const std::vector<std::filesystem::path> inputs = {options.config, config.data.train,
                                                       config.data.val, config.model.pretrained};
    require_output(page, inputs);
    require_outputs(page.parent_path(), {page.filename(), table.filename()}, inputs);
  }
  const LrFindings findings = find_learning_rate(config, options.test);
  if (!page.empty()) {
    write_whole(page, find_lr_page(options.config, findings));
    write_whole(table, find_lr_csv(findings.points));
  }
  fmt::print(
      "the loss falls fastest at {:.3g} and is lowest at {:.3g}; suggested: optimizer.lr={:.3g}\n",
      findings.steepest, findings.lowest, findings.suggested);
}

}  // namespace

void add_find_lr(CLI::App& app) {
  auto options = std::make_shared<FindLrOptions>();
  auto* command =
      app.add_subcommand("find-lr", "Try learning rates on a new network (nothing is kept)");
  command->add_option("config", options->config, "YAML configuration")->required();
  command->add_option("overrides", options->overrides, "section.key=value");
  command->add_option("-o,--output", options->output,
                      "HTML page to write, and a CSV file beside it");
  command->add_option("--from", options->test.lowest, "First rate")
      ->check(number_range(1e-12, 1e3))
      ->capture_default_str();
  command->add_option("--to", options->test.highest, "Last rate")
      ->check(number_range(1e-12, 1e3))
      ->capture_default_str();
  command->add_option("--steps", options->test.steps, "Batches to train on, at most")
      ->check(CLI::Range(3, 1000000))
      ->capture_default_str();
  command->callback([options] { find_lr(*options); });
}

}  // namespace mobileone::cli
