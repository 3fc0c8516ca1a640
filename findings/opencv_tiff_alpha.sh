#!/usr/bin/env bash
# OpenCV multiplies the colours of an RGBA TIFF file by their alpha, with IMREAD_UNCHANGED, too,
# although the file says that its alpha is not associated (ExtraSamples 2: colours are not
# multiplied). The same pixels in a PNG file keep their colours, and Pillow keeps them in both. A
# pixel of (200, 100, 50) at alpha 128 is (100, 50, 25) of the TIFF file, and black at alpha 0.
#
# Versions: opencv-python-headless 5.0.0.93, pillow 13.0.0.
# Source: TIFF 6.0, section 18 ("Associated alpha handling"); libtiff's TIFFReadRGBA, which OpenCV
#   reads by, returns premultiplied colours.
# Hurts: who reads one data set by two libraries, or converts PNG files with transparency to TIFF
#   (remote sensing, microscopy, artwork): images get darker, without a warning, and cannot be
#   restored where alpha is 0.
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
pixels = numpy.array([[[200, 100, 50, 128], [200, 100, 50, 0]]], numpy.uint8)
found = {}
for form in ("TIFF", "PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    data = numpy.frombuffer(file.getvalue(), numpy.uint8)
    bgra = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    found["OpenCV", form] = cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA).tolist()[0]
    with Image.open(file) as image:
        if form == "TIFF":
            print("ExtraSamples of the TIFF file:", image.tag_v2[338])
        found["Pillow", form] = numpy.asarray(image).tolist()[0]
for (library, form), read in found.items():
    print(f"{form} by {library}: {read}")
written = pixels.tolist()[0]
multiplied = [[100, 50, 25, 128], [0, 0, 0, 0]]
if found != {("OpenCV", "TIFF"): multiplied, ("Pillow", "TIFF"): written,
             ("OpenCV", "PNG"): written, ("Pillow", "PNG"): written}:
    sys.exit("the behaviour has changed")
PYTHON
