"""Classifies an image with a file that `mobileone export --with-preprocessing` wrote, using ONNX
Runtime and Pillow:

python classify.py model.onnx photo.jpg
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image


def crop(image: Image.Image, metadata: dict[str, str]) -> Image.Image:
    """Short side to `resize`, antialiased; centre `crop`."""
    resize, side = int(metadata["resize"]), int(metadata["crop"])
    size = [length * resize // min(image.size) for length in image.size]
    grey = json.loads(metadata["mobileone.json"])["preprocessing"]["channels"] == "grey"
    image = image.convert("L" if grey else "RGB")
    image = image.resize(size, Image.Resampling[metadata["interpolation"].upper()])
    left, top = (round((length - side) / 2) for length in size)
    return image.crop((left, top, left + side, top + side))


def main() -> None:
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    image = crop(Image.open(sys.argv[2]), metadata)
    pixels = np.asarray(image).reshape(1, image.height, image.width, -1)
    probabilities = session.run(None, {"images": pixels})[0][0]
    names = json.loads(metadata["class_names"]) or range(len(probabilities))
    for index in np.argsort(-probabilities)[:5]:
        print(f"{100 * probabilities[index]:6.2f} %  {names[index]}")


if __name__ == "__main__":
    main()
