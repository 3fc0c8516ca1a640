#!/usr/bin/env bash
# Builds the fuzzers and runs each for a while; fails with what it found in <build folder>/findings.
# usage: tests/fuzz/run.sh <build folder> <cmake> <seconds for each>
set -euo pipefail
build=$1 cmake=$2 seconds=$3
source=$(cd "$(dirname "$0")/../.." && pwd)
python=$source/.deps/venv/bin/python

skip() { echo "skipped: $1"; exit 0; }
clang=$(compgen -c clang++ | grep -E '^clang\+\+(-[0-9]+)?$' | sort -V | tail -n 1 || true)
[ -n "$clang" ] || skip "there is no clang++ here (Debian package clang)"
[ -x "$python" ] || skip "there is no Python in .deps/venv, which makes the corpus"
mkdir -p "$build/findings"
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }' >"$build/probe.cpp"
"$clang" -fsanitize=address,undefined,fuzzer "$build/probe.cpp" -o "$build/probe" 2>/dev/null ||
  skip "$clang has no sanitizers and no libFuzzer here"

"$cmake" -S "$source" -B "$build" -G Ninja -Wno-dev -DCMAKE_CXX_COMPILER="$clang" \
  -DMOBILEONE_BUILD_FUZZERS=ON -DMOBILEONE_BUILD_PROGRAM=OFF -DMOBILEONE_BUILD_TESTS=OFF >/dev/null
"$cmake" --build "$build" --target readers_fuzzer
"$python" "$source/tools/make_fuzz_corpus.py" "$build/corpus"

export LSAN_OPTIONS="suppressions=$source/cmake/sanitizers/leaks.txt:print_suppressions=0"
export OMP_NUM_THREADS=1
for reader in torch_file safetensors pickle jpeg png webp tiff gif bmp pnm frames mask coco coco_results voc_xml yolo_text tar pack; do
  mkdir -p "$build/found/$reader"  # inputs that reach what no other does: where the next run starts
  "$build/tests/fuzz/readers_fuzzer" --reader=$reader "$build/found/$reader" "$build/corpus/$reader" \
    -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=256 \
    -artifact_prefix="$build/findings/$reader-" -print_final_stats=1 -verbosity=0
done
