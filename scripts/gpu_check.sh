#!/usr/bin/env bash
# Builds the training engine with a CUDA LibTorch, runs all its tests and times training steps, on a
# machine with a GPU: the output is its report. Needs CMake, ninja, nvcc, and LibTorch in
# CMAKE_PREFIX_PATH or as python3's torch. Options are the benchmark's: scripts/gpu_check.sh
# --batch 32.
#
# For a machine without a package manager, fill .deps/packages on one that has it, with
# scripts/gpu_check.sh --pack, and let that folder travel with the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'gpu_check: %s\n' "$*"; }
packages=$PWD/.deps/packages

if [ "${1:-}" = --pack ]; then
  command -v apt-get >/dev/null || { say "--pack needs Debian or Ubuntu"; exit 2; }
  development=(libfmt-dev libspdlog-dev libyaml-cpp-dev libcli11-dev nlohmann-json3-dev
               libgtest-dev libhwy-dev libgloo-dev)
  mapfile -t runtime < <(apt-cache depends --no-recommends --no-suggests "${development[@]}" |
    sed -nE 's/.*Depends: (lib(fmt|spdlog|yaml-cpp|hwy)[0-9][0-9a-z.]*)$/\1/p' | sort -u)
  rm -rf "$packages" && mkdir -p "$packages/deb"
  (cd "$packages/deb" && apt-get download -qq "${development[@]}" "${runtime[@]}" 2>/dev/null)
  for package in "$packages"/deb/*.deb; do dpkg-deb -x "$package" "$packages"; done
  rm -rf "$packages/deb" "$packages/usr/share/doc"
  say "packed ${development[*]} ${runtime[*]} into .deps/packages ($(du -sh "$packages" | cut -f1))"
  exit 0
fi

if ! nvidia-smi -L 2>/dev/null; then
  say "no NVIDIA GPU answers here"
  exit 2
fi
torch=${CMAKE_PREFIX_PATH:-$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)')}
cmake -S . -B build-gpu -G Ninja -DMOBILEONE_BUILD_PROGRAM=OFF -DMOBILEONE_BUILD_BENCHMARKS=ON \
  "-DCMAKE_PREFIX_PATH=$torch;$packages/usr"
grep -q 'torch_cuda' build-gpu/build.ninja || { say "the LibTorch in $torch has no CUDA"; exit 2; }
cmake --build build-gpu
export LD_LIBRARY_PATH=$packages/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ctest --test-dir build-gpu --output-on-failure -j 2
build-gpu/training_benchmark --cuda "$@"
