"""Finds the objects in a picture with a detector that `mobileone export` wrote, and draws their boxes,
using PyTorch and Pillow alone:

python detect.py model.pt photo.jpg boxes.png
"""

import sys

import torch
from PIL import Image, ImageDraw

LEAST_SCORE = 0.3


def place(image: Image.Image, model: torch.jit.ScriptModule) -> tuple[list[float], list[int]]:
    """How the picture comes to lie in the network's square: pixels = scale * its own + shift."""
    scale = [model.crop / side for side in image.size]
    if not model.letterbox:
        return scale, [0, 0]
    scale = [min(scale)] * 2
    return scale, [(model.crop - round(scale[0] * side)) // 2 for side in image.size]


def prepare(image: Image.Image, model: torch.jit.ScriptModule, scale, shift) -> torch.Tensor:
    """In the square, on the mean colour; normalised: [1,C,S,S]."""
    channels = len(model.mean)
    mode = "RGB" if channels == 3 else "L"
    square = Image.new(mode, (model.crop, model.crop), tuple(round(255 * m) for m in model.mean))
    size = [round(by * side) for by, side in zip(scale, image.size)]
    square.paste(image.convert(mode).resize(size, Image.Resampling[model.interpolation.upper()]), shift)
    pixels = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8)
    x = pixels.view(1, model.crop, model.crop, channels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (model.mean, model.std))
    return (x - mean) / std


@torch.inference_mode()
def main() -> None:
    model = torch.jit.load(sys.argv[1])
    image = Image.open(sys.argv[2]).convert("RGB")
    scale, shift = place(image, model)
    found = model(prepare(image, model, scale, shift))
    boxes = (found[:, :4] - torch.tensor(shift * 2)) / torch.tensor(scale * 2)
    canvas = ImageDraw.Draw(image)
    for box, score, label in zip(boxes.tolist(), found[:, 4].tolist(), found[:, 5].int().tolist()):
        if score < LEAST_SCORE:
            break  # the surest come first
        name = model.class_names[label] if model.class_names else label
        print(f"{score:.3f}  {name}  " + " ".join(f"{edge:.1f}" for edge in box))
        canvas.rectangle(box, outline="yellow", width=2)
        canvas.text((box[0] + 3, box[1] + 1), f"{name} {score:.2f}", fill="yellow")
    image.save(sys.argv[3])


if __name__ == "__main__":
    main()
