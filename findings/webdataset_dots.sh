#!/usr/bin/env bash
# webdataset ends a sample's name at the first dot of its file's name, so that images whose names
# have dots of their own ("photo.v1.jpg", "photo.v2.jpg") are one sample, "photo", whose fields are
# called "v1.jpg", "v1.cls", "v2.jpg", ... Iterating gives fewer samples than images, without a
# warning; only a pipeline that asks for "jpg" fails, and its message names a missing field and not
# the dot. Dots in names of folders are harmless.
#
# Versions: webdataset 1.0.2.
# Source: the README of webdataset ("The WebDataset format": the extension is all that
#   follows the first dot of the last part).
# Hurts: who tars a folder of images as it is, where names carry versions, dates, times or sizes
#   ("2024.05.01.jpg", "scan_0.5mm.png"): samples are merged, and what counts them counts too few.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet webdataset==1.0.2
cd "$dir"
"$dir/venv/bin/python" - <<'PYTHON'
import io
import sys
import tarfile
from importlib.metadata import version

import webdataset

print("webdataset", version("webdataset"))


def samples(names):
    with tarfile.open("shard.tar", "w") as tar:
        for name in names:
            for ending, contents in (("jpg", b"image"), ("cls", b"0")):
                entry = tarfile.TarInfo(f"{name}.{ending}")
                entry.size = len(contents)
                tar.addfile(entry, io.BytesIO(contents))
    return [sample["__key__"] for sample in webdataset.WebDataset("shard.tar", shardshuffle=False)]


dotted = samples(["photo.v1", "photo.v2", "other"])
folder = samples(["set.v1/photo", "set.v1/other"])
print("of photo.v1, photo.v2 and other:", dotted)
print("of set.v1/photo and set.v1/other:", folder)
try:
    samples(["photo.v1", "photo.v2"])
    list(webdataset.WebDataset("shard.tar", shardshuffle=False).to_tuple("jpg", "cls"))
    message = ""
except ValueError as error:
    message = str(error)
print("asked for jpg and cls:", message)
if dotted != ["photo", "other"] or folder != ["set.v1/photo", "set.v1/other"] or not message:
    sys.exit("the behaviour has changed")
PYTHON
