#!/usr/bin/env bash
# Installs the build in $1, moves it, and tries it as a machine would that has neither the checkout nor
# LibTorch: the program finds its libraries beside it, and a program that knows the library only by
# find_package trains with it. Usage: consumer.sh BUILD CMAKE
set -euo pipefail
build=$1 cmake=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cmake" --install "$build" --prefix "$folder/installed" >/dev/null
mv "$folder/installed" "$folder/moved"
mobileone=$folder/moved/bin/mobileone

# Whatever is not of the C and C++ runtime lies in the folder.
elsewhere=$(ldd "$mobileone" | grep -Ev "$folder/moved/|linux-vdso|/ld-linux" |
            grep -Ev '^\s*lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s)\.so' || true)
[ -z "$elsewhere" ] || { echo "needed, and not installed: $elsewhere"; exit 1; }

# Every command stands in the manual.
"$mobileone" --help | sed -n '/^Subcommands:/,$s/^  \([a-z-]\+\) .*/\1/p' | while read -r command; do
  sed 's/\\//g' "$folder"/moved/share/man/man1/mobileone.1 | grep -qx ".B $command" ||
    { echo "$command: is not in share/mobileone.1.in"; exit 1; }
done
bash -n "$folder/moved/share/bash-completion/completions/mobileone"

# Where namespaces are allowed, the checkout is hidden.
hide=()
if unshare -m true 2>/dev/null; then
  hide=(unshare -m bash -c 'mount -t tmpfs none "$0" && cd / && exec "$@"' "$source")
fi
"${hide[@]}" "$mobileone" --version
"${hide[@]}" "$mobileone" data shapes "$folder/shapes" --train 8 --val 4
"${hide[@]}" "$mobileone" train "$folder/moved/share/mobileone/configs/quickstart.yaml" \
  data.train="$folder/shapes/train" data.val="$folder/shapes/val" output.dir="$folder/run" \
  schedule.epochs=1 schedule.warmup_epochs=0 >/dev/null

"$cmake" -S "$source/examples/train" -B "$folder/build" -G Ninja -DCMAKE_CXX_FLAGS=-O0 \
  -DCMAKE_PREFIX_PATH="$folder/moved" >/dev/null
"$cmake" --build "$folder/build"
"$folder/build/train_by_library" "$folder/shapes/train" "$folder/model.pt"
"$mobileone" summary "$folder/model.pt" --operators >/dev/null

# README's program, with few short epochs of what it names.
sed -n '/^```cpp$/,/^```$/{//d;p}' "$source/README.md" >"$folder/readme.cpp"
grep -q 'int main' "$folder/readme.cpp" || { echo "README.md shows no program"; exit 1; }
mkdir -p "$folder/readme/configs" "$folder/readme-build"
sed 's/train_by_library train.cpp/train_by_library readme.cpp/' "$source/examples/train/CMakeLists.txt" \
  >"$folder/CMakeLists.txt"
cat >"$folder/readme/configs/flowers.yaml" <<END
model: {width_multipliers: [0.25, 0.125, 0.125, 0.125], depths: [1, 1, 1, 1], branches: 2}
data: {size: 32, eval_resize: 32, eval_crop: 32, workers: 1}
schedule: {epochs: 1, batch_size: 8}
output: {dir: runs/flowers}
END
ln -s "$folder/shapes" "$folder/readme/DIR"
cp "$(find "$folder/shapes/val" -type f | head -1)" "$folder/readme/photo.jpg"
"$cmake" -S "$folder" -B "$folder/readme-build" -G Ninja -DCMAKE_CXX_FLAGS=-O0 \
  -DCMAKE_PREFIX_PATH="$folder/moved" >/dev/null
"$cmake" --build "$folder/readme-build"
(cd "$folder/readme" && ../readme-build/train_by_library)
"$mobileone" summary "$folder/readme/folded.pth" >/dev/null
[ -s "$folder/readme/model.onnx" ]
