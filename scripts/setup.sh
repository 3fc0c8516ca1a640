#!/usr/bin/env bash
# Installs what mobileone builds on: Debian packages, and LibTorch (the CPU wheel of PyTorch, with
# its headers, libraries and CMake files) into .deps/venv of this repository, and beside it the
# Python packages that the tests compare with. Skips what is there.
# A LibTorch of your own is honoured: set CMAKE_PREFIX_PATH to its folder.
#
# Written for Debian 12. On Ubuntu 24.04 the same package names serve; what differs: its fmt is 9.1
# and its OpenCV 4.6 as here, its Python is 3.12 and its compiler GCC 13, and `python3-venv` must
# come from the `universe` component, which a minimal image may lack (add-apt-repository universe).
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH_VERSION=2.13.0
PACKAGES=(build-essential cmake ninja-build ccache git python3 python3-venv
          libjpeg-dev libpng-dev libwebp-dev libtiff-dev libgif-dev zlib1g-dev
          libopencv-core-dev libopencv-imgproc-dev
          libyaml-cpp-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libgtest-dev
          libhwy-dev libbenchmark-dev libprotozero-dev libgloo-dev libpugixml-dev
          clang libclang-rt-dev  # these two: for the fuzzers
          clang-format-14        # for the test style.Format
          doxygen)
# What tests, scripts/*.py and tools/*.py use.
PYTHON_PACKAGES=(numpy jsonschema tensorboard safetensors huggingface_hub onnx onnxruntime openvino
                 pycocotools)
# Without what they ask for: torchvision, which brings another torch.
PYTHON_PACKAGES_ALONE=(timm)

say() { printf 'setup: %s\n' "$*"; }

if ! command -v apt-get >/dev/null; then
  say "needs Debian or Ubuntu; elsewhere install by hand what these packages hold: ${PACKAGES[*]}"
  exit 2
fi

# Optional, and not in Debian 12: runs ONNX files in `bench latency`.
if apt-cache show libonnxruntime-dev >/dev/null 2>&1; then PACKAGES+=(libonnxruntime-dev); fi

missing=()
for package in "${PACKAGES[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#PACKAGES[@]} Debian packages are there"
else
  say "installing ${missing[*]}"
  sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "needs root or sudo for: apt-get install ${missing[*]}"; exit 2; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

IFS=: read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
if [ ${#prefixes[@]} -gt 0 ] &&
   [ -n "$(find "${prefixes[@]}" -name TorchConfig.cmake -print -quit 2>/dev/null || true)" ]; then
  own_libtorch=yes
fi
python=.deps/venv/bin/python
pip=("$python" -m pip install --quiet --disable-pip-version-check)
has() { "$python" -c "import sys, importlib.util as u; sys.exit(u.find_spec('$1') is None)" 2>/dev/null; }
[ -x "$python" ] || python3 -m venv .deps/venv
if [ -n "${own_libtorch:-}" ]; then
  say "using the LibTorch in CMAKE_PREFIX_PATH ($CMAKE_PREFIX_PATH)"
elif has torch; then
  say "LibTorch is there: .deps/venv ($("$python" -c 'import torch; print(torch.__version__)'))"
else
  say "installing LibTorch (torch==$TORCH_VERSION) into .deps/venv"
  # The CPU build by its own name where pip's index has it; otherwise the index's default build.
  "${pip[@]}" "torch==$TORCH_VERSION+cpu" 2>/dev/null || "${pip[@]}" "torch==$TORCH_VERSION"
fi
install_for_tests() {  # pip's options, then --, then packages
  local options=() missing=()
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  for package in "${@:2}"; do has "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing for the tests, into .deps/venv: ${missing[*]}"
  "${pip[@]}" "${options[@]}" "${missing[@]}" ||
    say "not installed; the tests that need them will be skipped"
}
install_for_tests -- "${PYTHON_PACKAGES[@]}"
install_for_tests --no-deps -- "${PYTHON_PACKAGES_ALONE[@]}"
