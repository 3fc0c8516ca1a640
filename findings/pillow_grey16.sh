#!/usr/bin/env bash
# Pillow's convert("RGB") and convert("L") clip 16-bit grey instead of scaling it: every level above
# 255 of 65535 becomes white. 16-bit colour, which Pillow cuts to 8 bits when it is read, is scaled.
# The loaders of torchvision's ImageFolder and of timm call convert("RGB"), so that a 16-bit grey
# image of PNG or TIFF, whose levels are mostly above 255, is a white rectangle to a network, while
# the same image by OpenCV, or saved as colour, is what it should be.
#
# Versions: pillow 13.0.0, opencv-python-headless 5.0.0.93.
# Source: Pillow's documentation ("Concepts", modes: I;16 has limited support).
# Hurts: who trains on radiographs, depth maps, microscopy or infrared images by the usual loaders:
#   training runs, and learns from what little is not white.
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

print("pillow", PIL.__version__, "opencv", cv2.__version__)
levels = numpy.array([[0, 256, 32768, 65535]], numpy.uint16)
found = {}
for form in (".png", ".tiff"):
    grey = cv2.imencode(form, levels)[1]
    image = Image.open(io.BytesIO(grey.tobytes()))
    found["grey", form, "Pillow"] = numpy.asarray(image.convert("RGB"))[0, :, 0].tolist()
    found["grey", form, "OpenCV"] = cv2.imdecode(grey, cv2.IMREAD_COLOR)[0, :, 0].tolist()
colour = cv2.imencode(".png", numpy.stack([levels] * 3, -1))[1]
image = Image.open(io.BytesIO(colour.tobytes()))
found["colour", ".png", "Pillow"] = numpy.asarray(image.convert("RGB"))[0, :, 0].tolist()
print("levels written:", levels[0].tolist())
for (kind, form, library), read in found.items():
    print(f"16-bit {kind} {form} by {library}: {read}")
scaled, clipped = [0, 1, 128, 255], [0, 255, 255, 255]
expected = {key: clipped if key[0] == "grey" and key[2] == "Pillow" else scaled for key in found}
if found != expected:
    sys.exit("the behaviour has changed")
PYTHON
