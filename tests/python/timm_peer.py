"""timm's side of tests/cli/convert_test.cpp.

timm_peer.py FOLDER   loads input.pth and ours_s0_unfolded.pth ... ours_s4_folded.safetensors (10
                      classes), strictly, and writes timm_s0_unfolded.safetensors,
                      timm_s0_folded.pth ... of networks of its own, and the float64 logits of all,
                      by name, as logits.pth
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path

import safetensors.torch
import torch


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


if importlib.util.find_spec("torchvision") is None:
    sys.meta_path.insert(0, NoTorchvision())
import timm  # noqa: E402
from timm.utils.model import reparameterize_model  # noqa: E402


def make(variant: int, folded: bool) -> torch.nn.Module:
    model = timm.create_model(f"mobileone_s{variant}", num_classes=10).eval()
    return reparameterize_model(model) if folded else model


def randomise_norms(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


@torch.no_grad()
def main(folder: Path) -> None:
    torch.manual_seed(0)
    images = torch.load(folder / "input.pth", weights_only=True)["images"].double()
    logits = {}
    for variant in range(5):
        ours = f"ours_s{variant}_unfolded"
        model = make(variant, folded=False)
        model.load_state_dict(torch.load(folder / f"{ours}.pth", weights_only=True), strict=True)
        logits[ours] = model.double()(images)
        ours = f"ours_s{variant}_folded"
        model = make(variant, folded=True).double()
        model.load_state_dict(safetensors.torch.load_file(folder / f"{ours}.safetensors"),
                              strict=True)
        logits[ours] = model(images)

        theirs = f"timm_s{variant}_unfolded"
        model = make(variant, folded=False)
        randomise_norms(model)
        safetensors.torch.save_file(model.state_dict(), folder / f"{theirs}.safetensors")
        folded = reparameterize_model(model)
        logits[theirs] = model.double()(images)
        theirs = f"timm_s{variant}_folded"
        torch.save({"epoch": 3, "state_dict": folded.state_dict()}, folder / f"{theirs}.pth")
        logits[theirs] = folded.double()(images)
    torch.save(logits, folder / "logits.pth")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
