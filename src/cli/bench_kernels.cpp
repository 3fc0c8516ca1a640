#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/bench/kernels.h"
#include "mobileone/cli/commands.h"
#include "mobileone/cli/options.h"
#include "mobileone/kernels/instruction_set.h"

namespace mobileone::cli {
namespace {

struct BenchKernelsOptions {
  Variant variant = Variant::kS0;
  Precision precision = Precision::kFloat32;
  std::vector<std::string> instruction_sets;
  int64_t rounds = 10;
  bool json = false;
};

/// The sums over all units of a network, a kernel each, in the order in which kernels appear.
std::vector<KernelSpeed> totals(const std::vector<KernelSpeed>& kernels) {
  std::vector<KernelSpeed> sums;
  for (const auto& one : kernels) {
    auto sum = std::find_if(sums.begin(), sums.end(),
                            [&](const KernelSpeed& other) { return other.kernel == one.kernel; });
    if (sum == sums.end()) {
      sum = sums.emplace(sum);
      sum->kernel = one.kernel;
    }
    const auto units = static_cast<double>(one.units);
    sum->units += one.units;
    sum->flops += units * one.flops;
    sum->bytes += units * one.bytes;
    sum->seconds += units * one.seconds;
    sum->at_peaks += units * one.at_peaks;
  }
  return sums;
}

void print_speeds(const KernelSpeeds& speeds) {
  fmt::print("{:<28} {:>6} {:>9} {:>8} {:>10}\n", "kernel", "units", "GFLOP/s", "GB/s", "of bound");
  for (const auto& kernel : totals(speeds.kernels)) {
    const auto rate = [&](double amount) {
      return amount > 0 ? fmt::format("{:.1f}", 1e-9 * amount / kernel.seconds) : std::string("-");
    };
    fmt::print("{:<28} {:>6} {:>9} {:>8} {:>8.0f} %\n", kernel.kernel, kernel.units,
               rate(kernel.flops), rate(kernel.bytes), 100 * kernel.at_peaks / kernel.seconds);
  }
  fmt::print("{:<28} {:>6} {:>9.1f} {:>8.1f}\n\n", "this machine's peaks", "", speeds.gflops,
             speeds.gigabytes_per_second);
}

nlohmann::ordered_json to_json(const KernelSpeeds& speeds) {
  auto kernels = nlohmann::ordered_json::array();
  for (const auto& kernel : speeds.kernels) {
    kernels.push_back({{"kernel", kernel.kernel},
                       {"unit", kernel.unit},
                       {"units", kernel.units},
                       {"flops", kernel.flops},
                       {"bytes", kernel.bytes},
                       {"seconds", kernel.seconds},
                       {"share_of_bound", kernel.at_peaks / kernel.seconds}});
  }
  return {{"peak_gflops", speeds.gflops},
          {"peak_gigabytes_per_second", speeds.gigabytes_per_second},
          {"kernels", kernels}};
}

void bench_kernels(const BenchKernelsOptions& options) {
  std::vector<std::string> sets = options.instruction_sets;
  if (sets.empty()) {
    for (const auto set : kernels::instruction_sets()) sets.emplace_back(set);
  }
  for (const auto& set : sets) kernels::use_instruction_set(set);  // before any takes its time
  auto json = nlohmann::ordered_json::array();
  for (const auto& set : sets) {
    kernels::use_instruction_set(set);
    const KernelSpeeds speeds = measure_kernels(options.variant, options.precision, options.rounds);
    if (options.json) {
      json.push_back({{"instruction_set", set}});
      json.back().update(to_json(speeds));
      continue;
    }
    fmt::print("{} of {} in {}, one thread\n", set, to_string(options.variant),
               to_string(options.precision));
    print_speeds(speeds);
  }
  if (options.json) fmt::print("{}\n", json.dump());
}

}  // namespace

void add_bench_kernels(CLI::App& bench) {
  auto options = std::make_shared<BenchKernelsOptions>();
  auto* command = bench.add_subcommand(
      "kernels", "Time each kernel of training by instruction set, against the machine's peaks");
  add_enum_option(*command, "--variant", options->variant, "Network whose sizes are taken");
  add_enum_option(*command, "--precision", options->precision, "Of activations");
  command
      ->add_option("--isa", options->instruction_sets,
                   "Instruction sets: avx512,avx2,neon,portable [all that this machine has]")
      ->delimiter(',')
      ->envname(kernels::kInstructionSetVariable);
  command->add_option("--rounds", options->rounds, "Runs of each, of which the shortest counts")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON array and nothing else");
  command->callback([options] { bench_kernels(*options); });
}

}  // namespace mobileone::cli
