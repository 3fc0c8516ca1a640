// Every command with every kind of wrong path: one readable line and exit status 2, at once.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// A command line in which "MODEL", "IMAGE", ... stand for paths.
struct Command {
  std::vector<std::string> arguments;
};

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {{"train", "CONFIG", "data.train=FOLDER", "output.dir=OUT_DIR"}},
      {{"train", "CONFIG", "output.dir=RUN", "--resume-from", "MODEL"}},
      {{"find-lr", "CONFIG", "data.train=FOLDER", "--steps", "3", "-o", "OUT"}},
      {{"reparam", "MODEL", "-o", "OUT", "--data", "FOLDER"}},
      {{"export", "MODEL", "-o", "OUT"}},
      {{"eval", "MODEL", "--data", "FOLDER", "--report", "OUT_DIR"}},
      {{"predict", "MODEL", "IMAGE"}},
      {{"summary", "MODEL"}},
      {{"bench", "latency", "MODEL", "--size", "32"}},
      {{"plot", "RUN", "-o", "OUT"}},
      {{"config", "check", "CONFIG"}},
      {{"config", "show", "CONFIG"}},
      {{"data", "shapes", "OUT_DIR"}},
      {{"data", "pack", "FOLDER", "OUT"}},
      {{"data", "inspect", "FOLDER", "--sheet", "SHEET"}},
  };
  return all;
}

/// Paths that are not what they should be, made once.
class Hazards {
 public:
  static const Hazards& get() {
    static const Hazards hazards;
    return hazards;
  }

  /// By slot: what to put there instead.
  std::vector<std::string> instead_of(const std::string& slot) const {
    if (slot == "OUT")
      return join({at("folder"), at("text") + "/x", at("loop") + "/x"}, common_outputs());
    if (slot == "SHEET")
      return {at("text") + "/x.png", at("loop") + "/x.png", "/proc/none/x.html", at("text")};
    if (slot == "OUT_DIR")
      return join({at("text"), at("text") + "/x", at("loop")}, common_outputs());
    if (slot == "FOLDER")
      return join({at("folder"), at("no_images"), at("sparse.csv"), at("text.csv")},
                  common_inputs());
    if (slot == "RUN") return join({at("folder"), at("sparse"), at("garbage")}, common_inputs());
    return join({at("folder"), at("sparse"), at("garbage")}, common_inputs());
  }

 private:
  Hazards() {
    const fs::path root = shop().path("hazards");
    fs::create_directories(root / "folder");
    fs::create_directories(root / "no_images" / "cat");
    write_whole(root / "text", "hello\n");
    write_whole(root / "text.csv", "hello\n");
    write_whole(root / "empty", "");
    std::string garbage(100'000, '\0');
    for (size_t i = 0; i < garbage.size(); ++i)
      garbage[i] = static_cast<char>(i * i * 2654435761u >> 7);
    write_whole(root / "garbage", garbage);
    for (const char* name : {"sparse", "sparse.csv"}) {
      std::ofstream(root / name).close();
      fs::resize_file(root / name, uintmax_t{10} << 30);
    }
    ::mkfifo((root / "fifo").c_str(), 0666);
    fs::create_symlink(root / "loop", root / "loop");
    write_whole(root / "forbidden", "hello\n");
    fs::permissions(root / "forbidden", fs::perms::none);
    root_ = root.string();
  }

  std::string at(const std::string& name) const { return root_ + "/" + name; }
  std::vector<std::string> common_inputs() const {
    return {at("missing"),     at("empty"), at("fifo"),  at("loop"), at("forbidden"),
            at("text") + "/x", "/dev/full", "/dev/null", "",         std::string(5000, 'x')};
  }
  std::vector<std::string> common_outputs() const {
    return {at("fifo"), "/dev/full", "/dev/null", "/proc/none/x", std::string(5000, 'x')};
  }
  static std::vector<std::string> join(std::vector<std::string> first,
                                       const std::vector<std::string>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  }

  std::string root_;
};

/// The arguments with sound paths, except that `slot` becomes `hazard`.
std::vector<std::string> filled(const Command& command, const std::string& slot = "",
                                const std::string& hazard = "") {
  std::map<std::string, std::string, std::greater<>> paths = {
      {"CONFIG", shop().path("tiny.yaml")},
      {"FOLDER", shop().shapes("train")},
      {"MODEL", shop().path("run/best.pth")},
      {"IMAGE", shop().shapes("val") + "/star/0000.jpg"},
      {"RUN", shop().path("run")},
      {"OUT_DIR", shop().path("hostile_out")},
      {"SHEET", shop().path("hostile_sheet.png")},
      {"OUT", shop().path("hostile_file")}};
  if (!slot.empty()) paths[slot] = hazard;
  std::vector<std::string> arguments = command.arguments;
  for (auto& argument : arguments) {
    for (const auto& [name, path] : paths) {
      const bool whole = argument == name || argument.ends_with("=" + name);
      if (!whole) continue;
      argument.replace(argument.size() - name.size(), name.size(), path);
      break;
    }
  }
  return arguments;
}

std::vector<std::string> slots_of(const Command& command) {
  std::vector<std::string> slots;
  for (const auto& argument : command.arguments) {
    const std::string last = argument.substr(argument.find('=') + 1);
    if (last.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string::npos) {
      slots.push_back(last);
    }
  }
  return slots;
}

void expect_one_readable_line(int status, const std::string& errors, const std::string& what) {
  EXPECT_EQ(status, 2) << what << "\n" << errors;
  const size_t begin = errors.find("mobileone: ");
  ASSERT_NE(begin, std::string::npos) << what << "\n" << errors;
  EXPECT_EQ(std::count(errors.begin() + begin, errors.end(), '\n'), 1) << what << "\n" << errors;
  EXPECT_EQ(errors.find("internal error"), std::string::npos) << what << "\n" << errors;
  EXPECT_EQ(errors.find("terminate"), std::string::npos) << what << "\n" << errors;
}

std::string spelled(const std::vector<std::string>& arguments) {
  std::string line;
  for (const auto& argument : arguments) line += " '" + argument.substr(0, 100) + "'";
  return line;
}

class Hostile : public testing::TestWithParam<Command> {};

TEST_P(Hostile, EveryWrongPathIsRefusedInOneLine) {
  int tried = 0;
  for (const auto& slot : slots_of(GetParam())) {
    for (const auto& hazard : Hazards::get().instead_of(slot)) {
      if (hazard.ends_with("/forbidden") && ::geteuid() == 0) continue;  // root may read it
      if (hazard.ends_with("/empty") && GetParam().arguments[0] == "config") continue;  // valid
      const auto arguments = filled(GetParam(), slot, hazard);
      const auto outcome = run_program(arguments);
      expect_one_readable_line(outcome.status, outcome.errors, spelled(arguments));
      fs::remove_all(shop().path("hostile_out"));
      ++tried;
    }
  }
  EXPECT_GE(tried, 7);
  struct stat status;
  for (const char* device : {"/dev/full", "/dev/null"}) {
    ASSERT_EQ(::stat(device, &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode)) << device << " was replaced";
  }
}

TEST_P(Hostile, UnknownOptionsAndStrayWordsAreRefused) {
  for (const char* extra : {"--no-such-option", "--json=perhaps", "-Z"}) {
    auto arguments = filled(GetParam());
    arguments.push_back(extra);
    const auto outcome = run_program(arguments);
    expect_one_readable_line(outcome.status, outcome.errors, spelled(arguments));
  }
}

TEST_P(Hostile, AWorkingDirectoryThatIsGone) {
  const auto arguments = filled(GetParam());
  const std::string gone = shop().path("gone");
  fs::create_directories(gone);
  Process run(arguments, [&] {
    (void)!::chdir(gone.c_str());
    ::rmdir(gone.c_str());
  });
  const int status = run.wait();
  EXPECT_EQ(run.errors(),
            "mobileone: the working directory has been removed; change to one that is there\n");
  EXPECT_EQ(status, 2);
}

std::string name_of(const testing::TestParamInfo<Command>& test) {
  std::string name;
  for (const auto& argument : test.param.arguments) {
    for (const char c : argument) {
      if (std::isalnum(static_cast<unsigned char>(c))) name += c;
    }
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Commands, Hostile, testing::ValuesIn(commands()), name_of);

TEST(HostileNumbers, AreRefusedInOneLine) {
  const std::string model = shop().path("run/best.pth"), config = shop().path("tiny.yaml"),
                    data = shop().shapes("val");
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> numeric = {
      {{"eval", model, "--data", data},
       {"--resize", "--crop", "--batch", "--workers", "--threads"}},
      {{"bench", "latency", model}, {"--batch", "--size", "--threads"}},
      {{"bench", "train"}, {"--batch", "--size", "--steps", "--threads", "--ema", "--variant"}},
      {{"bench", "kernels"}, {"--rounds", "--isa", "--variant"}},
      {{"bench", "data", config}, {"--workers", "--images", "--rounds", "--consumes"}},
      {{"summary", "s0"}, {"--size", "--batch"}},
      {{"predict", model, data + "/star/0000.jpg"}, {"--top"}},
      {{"find-lr", config}, {"--from", "--to", "--steps"}},
      {{"data", "shapes", "x"}, {"--train", "--val", "--size"}},
      {{"data", "pack", data, "x", "--decoded"}, {"--short-side", "--max-side", "--workers"}},
      {{"data", "inspect", data}, {"--workers"}}};
  for (const auto& [command, options] : numeric) {
    for (const auto& option : options) {
      for (const char* value : {"", "x", "-1", "1e99", "99999999999999999999", "nan"}) {
        auto arguments = command;
        arguments.insert(arguments.end(), {option, value});
        const auto outcome = run_program(arguments);
        expect_one_readable_line(outcome.status, outcome.errors, spelled(arguments));
      }
      auto arguments = command;
      arguments.push_back(option);
      const auto outcome = run_program(arguments);
      expect_one_readable_line(outcome.status, outcome.errors, spelled(arguments));
    }
  }
}

}  // namespace
}  // namespace mobileone
