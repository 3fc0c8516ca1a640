// `mobileone config`: what a user reads of a configuration.
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/config/reader.h"

namespace mobileone {
namespace {

TEST(ConfigCommand, ShowsWhereValuesComeFrom) {
  const std::string file = shop().path("tiny.yaml");
  const auto outcome = run_program({"config", "show", file, "optimizer.lr=0.25"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("# " + file + ":4\n"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("# command line: optimizer.lr=0.25\n"), std::string::npos);
  EXPECT_EQ(parse_config(outcome.output, "shown"), load_config(file, {"optimizer.lr=0.25"}));
}

TEST(ConfigCommand, PrintsASchema) {
  const auto outcome = run_program({"config", "schema"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(nlohmann::json::parse(outcome.output)["title"], "mobileone configuration");
}

TEST(ConfigCommand, ReportsAllMistakes) {
  const std::string file = shop().path("tiny.yaml");
  const auto outcome = run_program({"config", "check", file, "optimizer.lr=fast", "ema.dekay=0"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.output, "");
  EXPECT_NE(outcome.errors.find("optimizer.lr: expected a number"), std::string::npos);
  EXPECT_NE(outcome.errors.find("did you mean 'decay'"), std::string::npos);
  EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 2) << outcome.errors;
}

TEST(ConfigCommand, FailsWhereItCannotPrint) {
  const std::string command = std::string(MOBILEONE_PROGRAM) + " config schema 2>&1 >/dev/full";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char message[200] = "";
  EXPECT_NE(std::fgets(message, sizeof(message), pipe), nullptr);
  EXPECT_NE(::pclose(pipe), 0);
  EXPECT_NE(std::string(message).find("No space left on device"), std::string::npos) << message;
}

}  // namespace
}  // namespace mobileone
