#include "mobileone/train/training_data.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "mobileone/train/session_start.h"
#include "mobileone/util/error.h"
#include "test_folder.h"

namespace mobileone {
namespace {

/// Training images in class folders; their contents are not read.
class TrainingDataTest : public testing::Test {
 protected:
  void make(const std::string& split, const std::vector<std::string>& classes) const {
    for (const auto& name : classes) folder.write(split + "/" + name + "/a.jpg", "x");
  }

  std::vector<int32_t> validation_labels(const std::string& val) const {
    Config config;
    config.data.train = folder.path("train");
    config.data.val = folder.path(val);
    return read_training_data(config).val->labels;
  }

  std::string error(const std::string& val) const {
    try {
      validation_labels(val);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  const TestFolder folder;
};

TEST_F(TrainingDataTest, ValidationIsOfTheClassesOfTraining) {
  make("train", {"ant", "cat", "dog"});
  make("val", {"cat", "dog"});
  EXPECT_EQ(validation_labels("val"), (std::vector<int32_t>{1, 2}));
  folder.write("val.csv", "file;class\nx.jpg;dog\n");
  EXPECT_EQ(validation_labels("val.csv"), std::vector<int32_t>{2});
  make("other", {"cat", "eel"});
  EXPECT_NE(error("other").find("1 are none of the 3 of " + folder.path("train") + ": 'eel'"),
            std::string::npos);
}

TEST_F(TrainingDataTest, LabelsInDoubtAreRefused) {
  make("train", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"});
  folder.write("val.csv", "path,label\nx.jpg,2\n");
  EXPECT_NE(error("val.csv").find("label 2 is in doubt"), std::string::npos) << error("val.csv");
  folder.write("val.csv", "path,class_name\nx.jpg,2\n");
  EXPECT_EQ(validation_labels("val.csv"), std::vector<int32_t>{3});
  folder.write("val.csv", "path,class_index\nx.jpg,2\n");
  EXPECT_EQ(validation_labels("val.csv"), std::vector<int32_t>{2});
}

TEST_F(TrainingDataTest, ImagesThatAnEpochLeavesOutAreCounted) {
  make("train", {"a", "b", "c", "d", "e"});
  Config config;
  config.data.train = folder.path("train");
  for (const auto& [batch_size, left] : {std::pair{2, 1}, {3, 2}, {5, 0}}) {
    config.schedule.batch_size = batch_size;
    testing::internal::CaptureStderr();
    const TrainingData data = read_training_data(config);
    announce_session(config, data.train, nullptr, 5 / batch_size, Processes::none());
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("left out of each epoch") != std::string::npos, left > 0) << said;
    EXPECT_EQ(said.find(fmt::format("{} of 5 images are left out", left)) != std::string::npos,
              left > 0)
        << said;
  }
}

}  // namespace
}  // namespace mobileone
