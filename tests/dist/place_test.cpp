#include "mobileone/dist/place.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/error_of.h"

namespace mobileone {
namespace {

using Variables = std::map<std::string, std::string>;

Place place_by(const Variables& variables) {
  return place_in([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

std::string message_of(const Variables& variables) {
  return error_of([&] { place_by(variables); });
}

TEST(Place, IsAloneWithoutALauncher) {
  EXPECT_EQ(place_by({}).size, 1);
  EXPECT_EQ(place_by({{"MASTER_ADDR", "node1"}}).size, 1);
  EXPECT_EQ(place_by({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).size, 1) << "and needs no address";
}

TEST(Place, IsTorchruns) {
  const Place place = place_by({{"RANK", "5"},
                                {"WORLD_SIZE", "8"},
                                {"LOCAL_WORLD_SIZE", "4"},
                                {"MASTER_ADDR", "node1"},
                                {"MASTER_PORT", "29500"},
                                {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.size, 8);
  EXPECT_EQ(place.local_size, 4);
  EXPECT_EQ(place.address, "node1");
  EXPECT_EQ(place.port, 29500);
  EXPECT_TRUE(place.served);
  EXPECT_EQ(place.prefix, "/worker/attempt_2");
}

TEST(Place, IsMpiruns) {
  const Variables variables = {{"OMPI_COMM_WORLD_RANK", "1"},
                               {"OMPI_COMM_WORLD_SIZE", "2"},
                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                               {"PMIX_NAMESPACE", "job-17"}};
  const Place place = place_by(variables);
  EXPECT_EQ(place.rank, 1);
  EXPECT_EQ(place.size, 2);
  EXPECT_EQ(place.address, "127.0.0.1") << "all are on this machine";
  EXPECT_EQ(place.port, place_by(variables).port) << "one port for all processes of a job";
  Variables elsewhere = variables;
  elsewhere["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_NE(message_of(elsewhere).find("MASTER_ADDR"), std::string::npos);
  elsewhere["MASTER_ADDR"] = "node7";
  EXPECT_EQ(place_by(elsewhere).address, "node7");
}

TEST(Place, IsSruns) {
  Variables variables = {{"SLURM_PROCID", "3"},
                         {"SLURM_STEP_NUM_TASKS", "4"},
                         {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
                         {"SLURM_STEP_NODELIST", "gpu[03-04],big1"},
                         {"SLURM_JOB_ID", "1234"}};
  const Place place = place_by(variables);
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.local_size, 2);
  EXPECT_EQ(place.address, "gpu03");
  variables["SLURM_STEP_NODELIST"] = "alpha,beta";
  EXPECT_EQ(place_by(variables).address, "alpha");
  variables.erase("SLURM_STEP_NUM_TASKS");
  EXPECT_EQ(place_by(variables).size, 1) << "a batch script, not one of its tasks";
}

TEST(Place, NamesWhatIsWrong) {
  const Variables right = {
      {"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node1"}, {"MASTER_PORT", "29500"}};
  EXPECT_EQ(message_of(right), "");
  const auto with = [&](const char* name, const char* value) {
    Variables variables = right;
    variables[name] = value;
    return message_of(variables);
  };
  EXPECT_TRUE(with("RANK", "2").starts_with("RANK: expected a whole number from 0 to 1, got '2'"));
  EXPECT_TRUE(with("RANK", "-1").starts_with("RANK: "));
  EXPECT_TRUE(with("WORLD_SIZE", "two").starts_with("WORLD_SIZE: "));
  EXPECT_TRUE(with("WORLD_SIZE", "2 ").starts_with("WORLD_SIZE: "));
  EXPECT_TRUE(with("MASTER_PORT", "0").starts_with("MASTER_PORT: "));
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_PORT"}) {
    Variables variables = right;
    variables.erase(name);
    EXPECT_TRUE(message_of(variables).starts_with(std::string(name) + ": is not set")) << name;
  }
}

}  // namespace
}  // namespace mobileone
