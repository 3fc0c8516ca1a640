#!/usr/bin/env bash
# Kills training runs at random moments (SIGKILL), resumes them, and compares what they end with,
# byte for byte, with a run that was never killed. Usage: scripts/kill_campaign.sh [kills, 200]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh cli_tests
MOBILEONE_KILLS=${1:-200} OMP_NUM_THREADS=1 \
  build/tests/cli_tests --gtest_filter=Survival.KilledAtAnyMomentEqualsNeverKilled
