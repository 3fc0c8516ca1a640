#!/usr/bin/env python3
"""Writes tests/golden/NAME_sgd.safetensors: twenty steps of SGD on the golden networks in float64,
by PyTorch's own modules, optimizer and arithmetic, at a learning rate where they are stable.

The twenty steps in NAME_expected.safetensors (learning rate 0.05, batch 8) are chaotic: a difference
of 1e-15 grows a hundredfold with each step, so that PyTorch with another number of threads or
another memory layout leaves its own numbers by 1e-9 after three steps and by half after seven.

Run with a Python that has torch, numpy and safetensors.
"""

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
WIDTHS, DEPTHS = (16, 32, 64, 128), (2, 8, 10, 1)


def conv_bn(inputs, outputs, kernel, stride, groups):
    block = nn.Sequential()
    block.add_module("conv", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False))
    block.add_module("bn", nn.BatchNorm2d(outputs))
    return block


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 16, 1)
        self.expand = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x):
        return x * self.expand(self.reduce(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Unit(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, groups, branches, se):
        super().__init__()
        self.se = SqueezeExcite(outputs) if se else nn.Identity()
        self.rbr_skip = nn.BatchNorm2d(inputs) if inputs == outputs and stride == 1 else None
        self.rbr_conv = nn.ModuleList(conv_bn(inputs, outputs, kernel, stride, groups) for _ in range(branches))
        self.rbr_scale = conv_bn(inputs, outputs, 1, stride, groups) if kernel > 1 else None

    def forward(self, x):
        out = sum(branch(x) for branch in self.rbr_conv)
        for branch in (self.rbr_scale, self.rbr_skip):
            if branch is not None:
                out = out + branch(x)
        return self.se(out).relu()


class Network(nn.Module):
    def __init__(self, branches, se_blocks):
        super().__init__()
        self.stage0 = Unit(3, 16, 3, 2, 1, 1, False)
        channels = 16
        for s, (depth, width) in enumerate(zip(DEPTHS, WIDTHS)):
            units = []
            for block in range(depth):
                se = block >= depth - se_blocks[s]
                units.append(Unit(channels, channels, 3, 2 if block == 0 else 1, channels, branches, se))
                units.append(Unit(channels, width, 1, 1, 1, branches, se))
                channels = width
            setattr(self, f"stage{s + 1}", nn.Sequential(*units))
        self.linear = nn.Linear(channels, 10)

    def forward(self, x):
        for s in range(5):
            x = getattr(self, f"stage{s}")(x)
        return self.linear(x.mean((2, 3)))


def twenty_steps(name, branches, se_blocks, learning_rate):
    network = Network(branches, se_blocks).double()
    network.load_state_dict(load_file(GOLDEN / f"{name}.safetensors"))
    expected = load_file(GOLDEN / f"{name}_expected.safetensors")
    images, target = expected["input"].double(), expected["target"]
    average = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=1e-4)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(network(images), target, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            for kept, new in zip(average.state_dict().values(), network.state_dict().values()):
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - 0.99)
    with torch.no_grad():
        return {
            "learning_rate": torch.tensor([learning_rate], dtype=torch.float64),
            "losses": torch.tensor(losses, dtype=torch.float64),
            "final_eval_logits": network.eval()(images),
            "ema_eval_logits": average.eval()(images),
        }


if __name__ == "__main__":
    for name, branches, se_blocks, learning_rate in (
        ("tiny_k4", 4, (0, 0, 0, 0), 1e-6),
        ("tiny_k1_se", 1, (0, 0, 5, 1), 1e-4),
    ):
        save_file(twenty_steps(name, branches, se_blocks, learning_rate), GOLDEN / f"{name}_sgd.safetensors")
