"""Draws the mask of a picture with a segmentation network that `mobileone export` wrote, using PyTorch
and Pillow alone:

python segment.py model.pt photo.jpg mask.png
"""

import sys

import torch
from PIL import Image


def prepare(image: Image.Image, model: torch.jit.ScriptModule) -> torch.Tensor:
    """Short side to `resize` (0: not at all), antialiased; normalised: [1,C,H,W]."""
    short = model.resize or min(image.size)
    size = [side * short // min(image.size) for side in image.size]
    channels = len(model.mean)
    image = image.convert("RGB" if channels == 3 else "L")
    image = image.resize(size, Image.Resampling[model.interpolation.upper()])
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    x = pixels.view(1, size[1], size[0], channels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (model.mean, model.std))
    return (x - mean) / std


def palette() -> list[int]:
    """Pascal VOC's colours: a class's bits are spread over the channels' highest bits."""
    levels = []
    for label in range(256):
        levels += [sum((label >> 3 * i + channel & 1) << 7 - i for i in range(3))
                   for channel in range(3)]
    return levels


@torch.inference_mode()
def main() -> None:
    model = torch.jit.load(sys.argv[1])
    image = Image.open(sys.argv[2])
    logits = torch.nn.functional.interpolate(model(prepare(image, model)), image.size[::-1],
                                             mode="bilinear", align_corners=False)
    mask = logits.argmax(1)[0].to(torch.uint8)
    picture = Image.frombytes("P", image.size, mask.numpy().tobytes())
    picture.putpalette(palette())
    picture.save(sys.argv[3])
    for index, pixels in enumerate(mask.flatten().long().bincount().tolist()):
        if pixels:
            name = model.class_names[index] if model.class_names else index
            print(f"{100 * pixels / mask.numel():6.2f} %  {name}")


if __name__ == "__main__":
    main()
