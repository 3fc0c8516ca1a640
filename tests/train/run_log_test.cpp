#include "mobileone/train/run_log.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "python.h"
#include "test_folder.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

class RunLogTest : public testing::Test {
 protected:
  int count_event_files() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(dir)) count += is_event_file(entry.path());
    return count;
  }

  const TestFolder folder;
  const fs::path dir = folder.path();
};

Metrics epoch_row(double epoch) {
  return {{"epoch", epoch}, {"train_loss", 1 / epoch}, {"val_top1", 10 * epoch}};
}

TEST_F(RunLogTest, GoesOnFromACheckpointAsIfItHadNeverStopped) {
  RunLog::Lengths saved;
  {
    RunLog log(dir, {}, 0, /*json=*/true);
    log.add_step(1, 1, {{"train_loss", 2.5}});
    log.add_epoch(2, epoch_row(1));
    saved = log.sync();
    log.add_step(2, 3, {{"train_loss", 99}});  // of these steps no checkpoint knows
    log.add_epoch(4, epoch_row(2));
  }
  { RunLog killed_at_once(dir, saved, 2, true); }
  {
    RunLog log(dir, saved, 2, true);
    log.add_step(2, 3, {{"train_loss", 1.5}});
    log.add_epoch(4, epoch_row(2));
    log.sync();
  }
  EXPECT_EQ(read_file(dir / "metrics.csv"), "epoch,train_loss,val_top1\n1,1,10\n2,0.5,20\n");
  EXPECT_EQ(read_file(dir / "log.jsonl"),
            "{\"kind\":\"step\",\"epoch\":1,\"step\":1,\"train_loss\":2.5}\n"
            "{\"kind\":\"epoch\",\"epoch\":1.0,\"train_loss\":1.0,\"val_top1\":10.0}\n"
            "{\"kind\":\"step\",\"epoch\":2,\"step\":3,\"train_loss\":1.5}\n"
            "{\"kind\":\"epoch\",\"epoch\":2.0,\"train_loss\":0.5,\"val_top1\":20.0}\n");
  EXPECT_EQ(count_event_files(), 2);

  if (!python_has("tensorboard")) {
    GTEST_SKIP() << "needs Python with tensorboard in .deps/venv";
  }
  const std::string script = fmt::format(
      "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E; "
      "e = E('{}'); e.Reload(); s = lambda t: [(x.step, x.value) for x in e.Scalars(t)]; "
      "assert s('train/loss') == [(1, 2.5), (3, 1.5)], s('train/loss'); "
      "assert s('epoch/loss') == [(2, 1.0), (4, 0.5)], s('epoch/loss'); "
      "assert s('val/top1') == [(2, 10.0), (4, 20.0)], s('val/top1')",
      dir.string());
  EXPECT_EQ(std::system((kPython + " -c \"" + script + "\"").c_str()), 0) << script;
}

TEST_F(RunLogTest, ARunKeepsTheColumnsThatItBeganWith) {
  RunLog::Lengths saved;
  {
    RunLog log(dir, {}, 0, false);
    log.add_epoch(2, epoch_row(1));
    saved = log.sync();
  }
  RunLog(dir, saved, 2, false).add_epoch(4, {{"epoch", 2}, {"ema_better", 1}, {"val_top1", 20}});
  EXPECT_EQ(read_file(dir / "metrics.csv"), "epoch,train_loss,val_top1\n1,1,10\n2,,20\n");
}

TEST_F(RunLogTest, LeavesEventFilesOfOthersAlone) {
  RunLog::Lengths saved;
  {
    RunLog log(dir, {}, 0, false);
    saved = log.sync();
  }
  // Named as ours are, and of the form that other programs write.
  const std::string others = folder.write("events.out.tfevents.1.2.3", std::string("\x18\0\0", 3));
  { RunLog younger(dir, saved, 0, false); }
  EXPECT_EQ(count_event_files(), 3);
  { RunLog(dir, saved, 0, false); }
  EXPECT_EQ(count_event_files(), 3);
  EXPECT_EQ(read_file(others).size(), 3u);
}

TEST_F(RunLogTest, SaysWhatIsGoneAndGoesOnWithWhatIsThere) {
  RunLog::Lengths saved;
  {
    RunLog log(dir, {}, 0, /*json=*/true);
    log.add_epoch(2, epoch_row(1));
    log.add_epoch(4, epoch_row(2));
    saved = log.sync();
  }
  EXPECT_EQ(RunLog::lengths_there(dir, saved, false), saved);
  fs::resize_file(dir / "metrics.csv", saved["metrics.csv"] - 2);
  fs::remove(dir / "log.jsonl");
  const auto refusal = [&] {
    try {
      RunLog::lengths_there(dir, saved, false);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal(), fmt::format("{}/metrics.csv: has {} bytes of the {} that the run wrote; put "
                                   "it back, or go on without what it lacks with --accept-changes",
                                   dir.string(), saved["metrics.csv"] - 2, saved["metrics.csv"]));
  const auto there = RunLog::lengths_there(dir, saved, true);
  RunLog(dir, there, 4, true).add_epoch(6, epoch_row(3));
  EXPECT_EQ(read_file(dir / "metrics.csv"),
            "epoch,train_loss,val_top1\n1,1,10\n3,0.3333333333333333,30\n");
  EXPECT_EQ(read_file(dir / "log.jsonl").find("{\"kind\":\"epoch\",\"epoch\":3.0"), 0u);
}

TEST_F(RunLogTest, StartsFromNothingOverWhatAKilledRunLeft) {
  { RunLog(dir, {}, 0, true).add_epoch(2, epoch_row(1)); }
  { RunLog(dir, {}, 0, false).add_epoch(2, epoch_row(3)); }
  EXPECT_EQ(read_file(dir / "metrics.csv"), "epoch,train_loss,val_top1\n3,0.3333333333333333,30\n");
  EXPECT_EQ(count_event_files(), 1);
}

}  // namespace
}  // namespace mobileone
