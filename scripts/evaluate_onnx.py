"""Accuracy of an ONNX file that `mobileone export` wrote, by ONNX Runtime, Pillow and numpy:

evaluate_onnx.py model.onnx --data DIR   DIR holds class folders, or is a CSV list `path,label`

Images are prepared as the file's metadata says, and normalised unless the network does that itself.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

IMAGENET_CLASSES = Path(__file__).resolve().parents[1] / "share" / "imagenet_classes.txt"
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".gif", ".bmp", ".dib",
            ".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff", ".webp"}


def read_folder(folder: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """Images with their labels, and the class names: the sorted names of the class folders."""
    names = sorted(path.name for path in folder.iterdir()
                   if path.is_dir() and not path.name.startswith("."))
    samples = [(path, label) for label, name in enumerate(names)
               for path in sorted((folder / name).rglob("*")) if path.suffix.lower() in SUFFIXES]
    return samples, names


def read_csv(file: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """The same of a list with the columns `path` or `file` and `label`, `class_index` or
    `class_name`."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    column = lambda *names: next((name for name in names if rows and name in rows[0]), None)
    path, label = column("path", "file"), column("label", "class_index", "class_name")
    if not path or not label:
        sys.exit(f"{file}: expected lines under a first line that names `path` and `label`")
    labels = [row[label] for row in rows]
    are_indices = label != "class_name" and all(text.isdigit() for text in labels)
    names = [] if are_indices else sorted(set(labels))
    numbers = [names.index(text) if names else int(text) for text in labels]
    return [(file.parent / row[path], number) for row, number in zip(rows, numbers)], names


def match(samples: list[tuple[Path, int]], names: list[str],
          known: list[str]) -> list[tuple[Path, int]] | None:
    """The samples with the network's classes for labels, by name; None where they do not match.
    ImageNet's class folders are named by id, the classes of published weights in words."""
    if not names or not known:
        of_integers = names or known
        in_order = of_integers == [str(i) for i in range(len(of_integers))]
        return None if of_integers and not in_order and all(
            name.isdigit() for name in of_integers) else samples
    pairs = [line.split(" ", 1) for line in IMAGENET_CLASSES.read_text().splitlines()]
    ids, words = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if known == words and set(names) <= set(ids):
        known = ids
    if not set(names) <= set(known):
        return None
    return [(path, known.index(names[label])) for path, label in samples]


class Preparation:
    """What an image goes through before the network, by the file's metadata."""

    def __init__(self, metadata: dict[str, str], inside: bool):
        self.resize, self.crop = int(metadata["resize"]), int(metadata["crop"])
        self.interpolation = Image.Resampling[metadata["interpolation"].upper()]
        description = json.loads(metadata["mobileone.json"])
        self.upright = description["preprocessing"]["exif_orientation"]
        self.mode = "L" if description["preprocessing"]["channels"] == "grey" else "RGB"
        self.inside = inside
        if not inside:
            self.mean, self.std = (np.array(json.loads(metadata[key])) for key in ("mean", "std"))

    def __call__(self, path: Path) -> np.ndarray:
        """uint8 [crop,crop,C], or normalised [C,crop,crop]."""
        image = Image.open(path)
        if self.upright:
            image = ImageOps.exif_transpose(image)
        size = [self.resize * side // min(image.size) for side in image.size]
        image = image.convert(self.mode).resize(size, self.interpolation)
        left, top = (round((side - self.crop) / 2) if side >= self.crop
                     else -((self.crop - side) // 2) for side in size)
        image = image.crop((left, top, left + self.crop, top + self.crop))
        pixels = np.asarray(image).reshape(self.crop, self.crop, -1)
        if self.inside:
            return pixels
        return ((pixels / 255 - self.mean) / self.std).transpose(2, 0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=32, help="images per batch [32]")
    parser.add_argument("--threads", type=int, default=0, help="[one per core]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(options.model, session_options,
                                           providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    if "mobileone.json" not in metadata:
        sys.exit(f"{options.model}: has no metadata `mobileone.json`, expected a file that "
                 "`mobileone export` wrote")
    network_input = session.get_inputs()[0]
    dtype = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16,
             "tensor(float)": np.float32}[network_input.type]
    prepare = Preparation(metadata, inside=dtype == np.uint8)
    samples, names = (read_folder if options.data.is_dir() else read_csv)(options.data)
    if not samples:
        sys.exit(f"{options.data}: no image in it")
    samples = match(samples, names, json.loads(metadata["class_names"]))
    if samples is None:
        sys.exit(f"{options.data}: its classes cannot be matched with those of {options.model} by "
                 "name")

    top1 = top5 = 0
    for start in range(0, len(samples), options.batch):
        part = samples[start:start + options.batch]
        images = np.stack([prepare(path) for path, _ in part]).astype(dtype)
        scores = session.run(None, {network_input.name: images})[0]
        best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        hits = best == np.array([label for _, label in part])[:, None]
        top1 += int(hits[:, 0].sum())
        top5 += int(hits.sum())
    result = {"top1": 100 * top1 / len(samples), "top5": 100 * top5 / len(samples),
              "images": len(samples)}
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{options.model} (ONNX Runtime): top-1 {result['top1']:.2f} %, "
              f"top-5 {result['top5']:.2f} %, {len(samples)} images")


if __name__ == "__main__":
    main()
