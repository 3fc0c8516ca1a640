#pragma once

#include <CLI/CLI.hpp>

namespace mobileone::cli {

/// Each adds one subcommand of the program; its callback parses, calls the library and prints.
void add_train(CLI::App& app);
void add_launch(CLI::App& app);
void add_reparam(CLI::App& app);
void add_export(CLI::App& app);
void add_convert(CLI::App& app);
void add_eval(CLI::App& app);
void add_predict(CLI::App& app);
void add_quantize(CLI::App& app);
void add_summary(CLI::App& app);
void add_plot(CLI::App& app);
void add_compare(CLI::App& app);
void add_data(CLI::App& app);
void add_bench(CLI::App& app);
void add_bench_data(CLI::App& bench);     ///< one of its subcommands
void add_bench_kernels(CLI::App& bench);  ///< another
void add_bench_scale(CLI::App& bench);    ///< another
void add_study(CLI::App& app);
void add_config(CLI::App& app);
void add_find_lr(CLI::App& app);
void add_completion(CLI::App& app);

/// Each adds one subcommand of `data`.
void add_data_pack(CLI::App& data);
void add_data_inspect(CLI::App& data);
void add_data_show(CLI::App& data);
void add_data_masks(CLI::App& data);
void add_data_convert(CLI::App& data);

/// Runs the program: 0, or 2 for what the user can mend, or 1 for a fault of ours; errors are one
/// line on standard error.
int run(int argc, char** argv);

}  // namespace mobileone::cli
