#!/usr/bin/env bash
# Configures (once) and builds into build/: all of it, or the targets named.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/build.ninja ] || cmake --preset release -Wno-dev >/dev/null
cmake --build build ${1:+--target "$@"}
