#!/usr/bin/env bash
# OpenCV leaves the levels of a PGM or PPM file as they are when its maximum is below 255, and
# shifts 16-bit ones by eight bits whatever their maximum. Netpbm defines a level as a share of the
# maximum (the file's third number), and Pillow scales by it: of a file whose maximum is 15, white
# is 255 to Pillow and 15 to OpenCV; of a 10-bit camera's (maximum 1023), white is 3.
#
# Versions: opencv-python-headless 5.0.0.93, pillow 13.0.0.
# Source: the manual page pgm(5) of Netpbm ("Maxval"), OpenCV's modules/imgcodecs
#   (grfmt_pxm.cpp).
# Hurts: who evaluates by OpenCV what was trained by Pillow (torchvision, timm), or the other way
#   round, on face, microscopy or raw camera sets, which are often PGM: all images come out nearly
#   black, without a warning.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet numpy==2.4.6 opencv-python-headless==5.0.0.93 pillow==13.0.0
"$dir/venv/bin/python" - <<'PYTHON'
import io
import sys

import cv2
import numpy
import PIL
from PIL import Image

print("opencv", cv2.__version__, "pillow", PIL.__version__)
files = {
    "PGM, maximum 15": b"P5 2 1 15\n" + bytes([0, 15]),
    "PPM, maximum 15": b"P6 2 1 15\n" + bytes([0, 0, 0, 15, 15, 15]),
    "PGM, maximum 1023": b"P5 2 1 1023\n" + (0).to_bytes(2, "big") + (1023).to_bytes(2, "big"),
}
white = []
for name, data in files.items():
    opencv = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)[0, 1, 0]
    pillow = Image.open(io.BytesIO(data)).convert("RGB").getpixel((1, 0))[0]
    print(f"{name}: white is {opencv} by OpenCV, {pillow} by Pillow")
    white.append((int(opencv), pillow))
if white != [(15, 255), (15, 255), (3, 255)]:
    sys.exit("the behaviour has changed")
PYTHON
