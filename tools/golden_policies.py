#!/usr/bin/env python3
"""Writes tests/golden/data/magnitudes.csv: what torchvision and timm make of every level of their
policies, for an image of 224 x 331 pixels; and policies.csv and policies.expected.png: what
torchvision's policies make of rgb.png with some draws, from top to bottom.

Run with the Python of .deps/venv and a torchvision that fits its torch.
"""

import random
from pathlib import Path

try:
    import torchvision_stub  # noqa: F401  what a CPU-only torchvision may need to be imported
except ImportError:
    pass
import numpy as np
from PIL import Image
from timm.data import auto_augment as timm
from torchvision.transforms import InterpolationMode, RandAugment, TrivialAugmentWide
from torchvision.transforms.autoaugment import _apply_op

FOLDER = Path(__file__).resolve().parent.parent / "tests/golden/data"
HEIGHT, WIDTH = 224, 331


def torchvision_lines():
    spaces = {
        "rand": RandAugment()._augmentation_space(31, (HEIGHT, WIDTH)),
        "trivial": TrivialAugmentWide()._augmentation_space(31),
    }
    for space, operations in spaces.items():
        for name, (magnitudes, signed) in operations.items():
            if magnitudes.ndim > 0:
                yield from (f"{space},{name},{i},{float(m)!r}" for i, m in enumerate(magnitudes))


def timm_lines():
    """As apply_operation measures them: changes of factors, translations in pixels."""
    random.random = lambda: 0.0  # magnitudes are not negated
    for full_name in timm._RAND_INCREASING_TRANSFORMS:
        to_argument = timm.LEVEL_TO_ARG[full_name]
        if to_argument is None:
            continue
        name = full_name.removesuffix("Increasing").removesuffix("Rel")
        for level in [0, 0.3, 1, 2.71, 4.5, 6.2, 7, 8.125, 9, 9.99, 10]:
            (value,) = to_argument(level, {})
            if name in ("Color", "Contrast", "Brightness", "Sharpness"):
                value -= 1
            value *= {"TranslateX": WIDTH, "TranslateY": HEIGHT}.get(name, 1)
            yield f"increasing,{name},{level},{float(value)!r}"


def write_policies():
    image = Image.open(FOLDER / "rgb.png")
    draws = random.Random(5)
    spaces = {
        "rand": (RandAugment()._augmentation_space(31, (image.height, image.width)), 2),
        "trivial": (TrivialAugmentWide()._augmentation_space(31), 1),
    }
    lines, results = ["row,policy,operation,level,sign"], []
    for policy, (operations, count) in spaces.items():
        for _ in range(30):
            result = image
            for _ in range(count):
                name = draws.choice([name for name in operations if name != "Identity"])
                magnitudes, signed = operations[name]
                level = draws.randrange(31)
                magnitude = float(magnitudes[level]) if magnitudes.ndim > 0 else 0.0
                negative = signed and draws.random() < 0.5
                result = _apply_op(
                    result, name, -magnitude if negative else magnitude, InterpolationMode.NEAREST, None
                )
                lines.append(f"{len(results)},{policy},{name},{level},{'-' if negative else '+'}")
            results.append(np.asarray(result))
    (FOLDER / "policies.csv").write_text("\n".join(lines) + "\n")
    Image.fromarray(np.concatenate(results)).save(FOLDER / "policies.expected.png", optimize=True)


write_policies()
lines = ["space,operation,level,magnitude", *torchvision_lines(), *timm_lines()]
(FOLDER / "magnitudes.csv").write_text("\n".join(lines) + "\n")
