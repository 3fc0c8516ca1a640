#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/config/nearest.h"
#include "mobileone/dist/launch.h"
#include "mobileone/dist/processes.h"
#include "mobileone/kernels/instruction_set.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/version.h"

namespace mobileone::cli {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

constexpr const char* kOutOfMemory =
    "out of memory; lower schedule.batch_size (train) or --batch (eval, bench)";

/// A configuration's faults are a line each. A message that nobody gets leaves the status.
int report(const std::string& message, int status) {
  clear_progress_line();
  std::fflush(stdout);
  std::istringstream lines(message);
  std::string shown = "mobileone: ";
  for (std::string line; std::getline(lines, line);) shown += one_line(line) + "\n";
  std::fputs(shown.c_str(), stderr);
  return status;
}

/// Of an error that is none of Error's.
int report(const std::system_error& error) {
  const std::string why = error.code().message();
  if (std::ferror(stdout) != 0) return report("standard output cannot be written: " + why, 2);
  if (error.code() == std::errc::resource_unavailable_try_again) {
    return report(
        "a thread could not be started: " + why +
            "; lower data.workers and runtime.threads (--workers, --threads), or raise `ulimit -u`",
        2);
  }
  return report("internal error: " + first_line(error.what()), 1);
}

/// Throws Error if the first argument is to be a command and is none.
void require_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return;
  throw Error("'{}' is no command{} (commands: {})", argv[1],
              did_you_mean(argv[1], {names.begin(), names.end()}), fmt::join(names, ", "));
}

/// Restricts this process to the instruction set that MOBILEONE_ISA names. LibTorch and its oneDNN
/// read variables of their own for that, when they first compute.
void restrict_instruction_set() {
  const char* name = std::getenv(kernels::kInstructionSetVariable);
  if (name == nullptr) return;
  kernels::use_instruction_set(name);
  const auto also = [](const char* libtorch, const char* onednn) {
    ::setenv("ATEN_CPU_CAPABILITY", libtorch, /*overwrite=*/0);
    ::setenv("ONEDNN_MAX_CPU_ISA", onednn, /*overwrite=*/0);
  };
  if (name == std::string_view("avx2")) also("avx2", "AVX2");
  if (name == std::string_view("portable")) also("default", "SSE41");
}

/// As many descriptors as the system grants: a run of many processes or shards takes more than the
/// usual 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Runs the command, or prints the help or version that was asked for.
void parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    app.exit(asked, text, text);
    fmt::print("{}", text.str());
  }
}

/// Whether the words are a command, or none, and ask nothing of it.
bool asks_nothing(const CLI::App& app, int argc, char** argv) {
  const CLI::App* command = &app;
  for (int i = 1; i < argc && command != nullptr; ++i) {
    const auto found = command->get_subcommands(
        [&](const CLI::App* subcommand) { return subcommand->get_name() == argv[i]; });
    command = found.empty() ? nullptr : found.front();
  }
  return command != nullptr;
}

/// LibTorch's warnings and log lines are written for those who program with it: what concerns a
/// user is an Error or a line of our own log. TORCH_CPP_LOG_LEVEL brings its log back.
void keep_libraries_quiet() {
  class Silence : public c10::WarningHandler {
    void process(const c10::Warning&) override {}
  };
  static Silence silence;
  if (silence_torch_log()) c10::WarningUtils::set_warning_handler(&silence);
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app{"Train MobileOne networks, fold their branches and ship them."};
  app.name("mobileone");
  app.set_version_flag("--version", fmt::format("mobileone {} ({})", version(), revision()));
  app.require_subcommand(1);
  add_train(app);
  add_launch(app);
  add_reparam(app);
  add_export(app);
  add_quantize(app);
  add_convert(app);
  add_eval(app);
  add_predict(app);
  add_summary(app);
  add_plot(app);
  add_compare(app);
  add_data(app);
  add_bench(app);
  add_study(app);
  add_config(app);
  add_find_lr(app);
  add_completion(app);
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);  // whoever read what we write is gone: calls that write say so
  try {
    keep_libraries_quiet();
    restrict_instruction_set();
    require_command(app, argc, argv);
    require_threads(at::get_num_threads());
    parse(app, argc, argv);
    if (std::fflush(stdout) != 0) {
      throw Error("standard output cannot be written: {}", std::strerror(errno));
    }
    return 0;
  } catch (const CLI::RuntimeError& ended) {
    return ended.get_exit_code();  // a command's own: it has said why
  } catch (const CLI::ParseError& error) {
    if (asks_nothing(app, argc, argv)) {
      fmt::print(stderr, "{}", app.help());  // of the command
      return 2;
    }
    return report(first_line(error.what()) + "; see --help", 2);
  } catch (const PeerError& error) {
    return report(error.what(), kPeerStatus);
  } catch (const Error& error) {
    return report(error.what(), 2);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(fmt::format("{}: {}", error.path1().string(), error.code().message()), 2);
  } catch (const std::system_error& error) {
    return report(error);
  } catch (const c10::OutOfMemoryError&) {
    return report(kOutOfMemory, 2);
  } catch (const c10::Error& error) {
    const std::string message = first_line(error.what_without_backtrace());
    if (message.find("DefaultCPUAllocator") != std::string::npos) return report(kOutOfMemory, 2);
    return report("internal error: " + message, 1);
  } catch (const std::bad_alloc&) {
    return report(kOutOfMemory, 2);
  } catch (const std::exception& error) {
    return report("internal error: " + first_line(error.what()), 1);
  }
}

}  // namespace mobileone::cli
