#!/usr/bin/env bash
# Kills training runs, of one process and of two, at random moments (SIGKILL), resumes them, and
# compares what they end with, byte for byte, with a run that was never killed.
# Usage: tools/kill_campaign.sh [kills of each, 200]
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-200}
[[ $kills =~ ^[1-9][0-9]*$ ]] || { echo "kill_campaign: expected a number of kills, got $kills"; exit 2; }
scripts/build.sh cli_tests
MOBILEONE_KILLS=$kills OMP_NUM_THREADS=1 \
  build/tests/cli_tests --gtest_filter='*.Killed*'
