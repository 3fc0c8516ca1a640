// `eval --detections`: COCO's results judged without a network.
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/task/coco_ap.h"
#include "support/test_folder.h"

namespace mobileone {
namespace {

using Json = nlohmann::json;

class EvalResults : public testing::Test {
 protected:
  EvalResults() {
    for (const Json& each :
         Json::parse(read_file(std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/coco_ap.json"))) {
      if (each["name"] == "drawn 0") case_ = each;
    }
    instances_ = folder_.write("instances.json", case_["instances"].dump());
    results_ = folder_.write("results.json", case_["results"].dump());
  }
  Outcome judged(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"eval", "--detections", results_, "--data", instances_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  TestFolder folder_;
  Json case_;
  std::string instances_, results_;
};

TEST_F(EvalResults, PrintsPycocotoolsNumbersInPercent) {
  const Outcome outcome = judged({"--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Json json = Json::parse(outcome.output);
  for (size_t i = 0; i < kCocoNumbers.size(); ++i) {
    EXPECT_NEAR(json[kCocoNumbers[i].first].get<double>(), 100 * case_["expected"][i].get<double>(),
                1e-10)
        << kCocoNumbers[i].first;
  }
  EXPECT_EQ(json["images"], 7);
  EXPECT_NEAR(json["class_ap"]["class 1"].get<double>(), 100 * case_["class_ap"][0].get<double>(),
              1e-10);
  EXPECT_TRUE(json["class_ap"]["class 7"].is_null()) << "it has no objects";
  EXPECT_GT(json["errors"]["missed"]["ap50"].get<double>(), 0);
}

TEST_F(EvalResults, PrintsTablesAndWritesAReport) {
  const Outcome outcome = judged({"--report", folder_.path("report")});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("class 2"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("localization"), std::string::npos) << outcome.output;
  const std::string ap = fmt::format("{:.2f} %", 100 * case_["expected"][0].get<double>());
  EXPECT_NE(outcome.output.find(ap), std::string::npos) << outcome.output;
  EXPECT_TRUE(std::filesystem::exists(folder_.path("report/report.html")));
}

TEST_F(EvalResults, MayBeNone) {
  folder_.write("results.json", "[]");
  const Outcome outcome = judged({"--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(Json::parse(outcome.output)["ap"], 0);
}

TEST_F(EvalResults, RefusesWhatIsWrongInOneLine) {
  const auto expect_refused = [](const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.output, "");
    EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
    EXPECT_NE(outcome.errors.find(message), std::string::npos) << outcome.errors;
  };
  expect_refused(judged({"--crop", "64"}), "there is no network to run, leave out --crop");
  expect_refused(judged({"--report", "x.html"}), "--report");
  expect_refused(run_program({"eval", "x.pth", "--detections", results_, "--data", instances_}),
                 "leave out model");
  expect_refused(run_program({"eval", "--data", instances_}), "model is required");
  expect_refused(run_program({"eval", "--detections", results_}), "--data is required");
  expect_refused(run_program({"eval", "--detections", instances_, "--data", instances_}),
                 "instances.json: is no JSON list");
  expect_refused(run_program({"eval", "--detections", results_, "--data", results_}),
                 "results.json: is a JSON list, expected an object");
  Json results = case_["results"];
  results[2]["image_id"] = 777;
  folder_.write("results.json", results.dump());
  expect_refused(judged(), "results.json: results[2]: its image_id is 777");
}

}  // namespace
}  // namespace mobileone
