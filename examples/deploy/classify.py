"""Classifies an image with a file that `mobileone export` wrote, using PyTorch and Pillow alone:

python classify.py model.pt photo.jpg
"""

import sys

import torch
from PIL import Image


def prepare(image: Image.Image, model: torch.jit.ScriptModule) -> torch.Tensor:
    """Short side to `resize`, antialiased; centre `crop`; normalised: [1,C,crop,crop]."""
    size = [side * model.resize // min(image.size) for side in image.size]
    interpolation = Image.Resampling[model.interpolation.upper()]
    channels = len(model.mean)
    image = image.convert("RGB" if channels == 3 else "L").resize(size, interpolation)
    left, top = (round((side - model.crop) / 2) for side in size)
    image = image.crop((left, top, left + model.crop, top + model.crop))
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    x = pixels.view(1, model.crop, model.crop, channels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (model.mean, model.std))
    return (x - mean) / std


@torch.inference_mode()
def main() -> None:
    model = torch.jit.load(sys.argv[1])
    probabilities = model(prepare(Image.open(sys.argv[2]), model)).softmax(1)[0]
    best, classes = probabilities.topk(min(5, len(probabilities)))
    for probability, index in zip(best.tolist(), classes.tolist()):
        name = model.class_names[index] if model.class_names else index
        print(f"{100 * probability:6.2f} %  {name}")


if __name__ == "__main__":
    main()
