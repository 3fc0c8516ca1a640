#!/usr/bin/env python3
"""Networks of others as TorchScript, for `mobileone study scatter`.

    python tools/export_peers.py FOLDER [NAME ...] [--size 224] [--force]

Writes FOLDER/NAME.pt for each of timm's networks that are named, by default a family of efficient
ones, as a careful user deploys them: branches folded, batch norms folded into convolutions, frozen.
Weights are random, from a fixed seed; nothing is downloaded. Files that are there already are kept
unless --force. Needs torch and timm (scripts/setup.sh installs both); torchvision is not needed.
"""

import argparse
import difflib
import importlib.abc
import importlib.machinery
import os
import sys
import types
import warnings
from pathlib import Path

FAMILY = [
    "mobilenetv1_100", "mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv3_large_100",
    "shufflenetv2_x1_0", "mnasnet_100", "efficientnet_b0", "mixnet_s", "ghostnet_100", "resnet18",
    "resnet50", "repvgg_a0", "mobilevit_xs", "fastvit_t8",
]  # fmt: skip


class NamesOfAnything(type):
    """A class whose attributes are their own names."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class NoTorchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """timm imports torchvision for its data pipeline, which is not needed here: every module of that
    name is empty but seems to hold any class."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)

        def make(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return NamesOfAnything(name, (), {})

        module.__getattr__ = make
        return module

    def exec_module(self, module):
        pass


def import_libraries():
    """torch and timm; one line and exit where they are missing."""
    sys.meta_path.insert(0, NoTorchvision())
    try:
        import timm
        import torch
    except ImportError as error:
        sys.exit(f"export_peers.py: {error}; run scripts/setup.sh, or `pip install torch timm`")
    return torch, timm


def shufflenet_v2(torch):
    """ShuffleNetV2 1.0x (Ma et al., ECCV 2018, table 5 and figure 3), which timm does not have."""
    nn = torch.nn

    def conv(inputs, outputs, kernel, stride=1, groups=1, relu=True):
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            half = outputs // 2
            self.strided = inputs != outputs
            stride = 2 if self.strided else 1
            main_inputs = inputs if self.strided else half
            self.main = nn.Sequential(
                conv(main_inputs, half, 1),
                conv(half, half, 3, stride, groups=half, relu=False),
                conv(half, half, 1),
            )
            if self.strided:
                self.side = nn.Sequential(
                    conv(inputs, inputs, 3, 2, groups=inputs, relu=False), conv(inputs, half, 1)
                )

        def forward(self, x):
            if self.strided:
                left, right = self.side(x), self.main(x)
            else:
                left, right = x.chunk(2, 1)
                right = self.main(right)
            # The shuffle: channels of both halves in turn.
            return torch.stack([left, right], 2).flatten(1, 2)

    layers = [conv(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for outputs, repeats in ((116, 4), (232, 8), (464, 4)):
        for _ in range(repeats):
            layers.append(Block(channels, outputs))
            channels = outputs
    layers += [conv(464, 1024, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000)]
    return nn.Sequential(*layers)


def create(torch, timm, name):
    from timm.utils import reparameterize_model

    torch.manual_seed(0)
    if name == "shufflenetv2_x1_0":
        network = shufflenet_v2(torch)
    else:
        network = timm.create_model(name, pretrained=False)
    for module in network.modules():
        # A norm that begins with zeros makes its convolution's folded weights zeros, too, and
        # TorchScript keeps equal constants once: parameters would be missing.
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    return reparameterize_model(network.eval()).eval()


def export(torch, network, path, size):
    """Writes whole or not at all, loads back and compares."""
    image = torch.randn(1, 3, size, size)
    beside = path.with_name(path.name + ".part")
    try:
        torch.jit.freeze(torch.jit.trace(network, image)).save(str(beside))
        expected, got = network(image), torch.jit.load(str(beside))(image)
        difference = ((expected - got).abs().max() / expected.abs().max()).item()
        if not difference < 1e-4:
            sys.exit(f"export_peers.py: {path}: the file's logits differ by {difference:.1e}")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="[" + ", ".join(FAMILY) + "]")
    parser.add_argument("--size", type=int, default=224, help="image size, px [224]")
    parser.add_argument("--force", action="store_true", help="write what is there already, too")
    options = parser.parse_args()
    torch, timm = import_libraries()
    warnings.simplefilter("ignore")  # of tracing and of TorchScript's future
    known = timm.list_models() + ["shufflenetv2_x1_0"]
    names = options.names or FAMILY
    for name in names:
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, known, 3)) or "see timm.list_models()"
            sys.exit(f"export_peers.py: {name}: is no network of timm; did you mean: {near}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = options.folder / f"{name}.pt"
        if path.exists() and not options.force:
            print(f"{path}: is there already")
            continue
        with torch.no_grad():
            network = create(torch, timm, name)
            export(torch, network, path, options.size)
        parameters = sum(p.numel() for p in network.parameters())
        print(f"{path}: {1e-6 * parameters:.2f} M parameters")


if __name__ == "__main__":
    main()
