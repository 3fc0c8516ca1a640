#!/usr/bin/env bash
# Installs the build in $1 and builds and runs, with the generator and compiler given behind it, a
# program that knows it only by find_package. Usage: consumer.sh BUILD CMAKE
set -euo pipefail
cmake=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cmake" --install "$1" --prefix "$folder/installed" >/dev/null
"$cmake" -S "$(dirname "$0")/consumer" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$folder/installed" >/dev/null
"$cmake" --build "$folder/build"
"$folder/build/consumer"
"$folder/installed/bin/mobileone" --version
