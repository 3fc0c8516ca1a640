#!/usr/bin/env python3
"""Writes tests/golden/segment_NAME.safetensors: tiny networks with a DeepLabV3 head, one training
pass each in float64 by PyTorch's own modules, functions and autograd.

A file holds the network's state before the pass ("state." and the key), an image batch, masks with
ignored pixels, what training makes of them (logits at the masks' size, the loss, the gradient of
every parameter, the running statistics afterwards) and the logits of evaluation by these.

Run with a Python that has torch and safetensors.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
WIDTHS, DEPTHS, BRANCHES, CLASSES, CHANNELS = (8, 8, 2, 10), (1, 1, 2, 2), 2, 5, 8


def conv_bn(inputs, outputs, kernel, stride=1, dilation=1, groups=1):
    block = nn.Sequential()
    block.add_module(
        "conv",
        nn.Conv2d(
            inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, groups, bias=False
        ),
    )
    block.add_module("bn", nn.BatchNorm2d(outputs))
    return block


class Unit(nn.Module):
    """A MobileOne unit, or with one branch and nothing else convolution, norm and ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, dilation=1, groups=1, branches=1, plain=True):
        super().__init__()
        has_skip = not plain and inputs == outputs and stride == 1
        self.rbr_skip = nn.BatchNorm2d(inputs) if has_skip else None
        self.rbr_conv = nn.ModuleList(
            conv_bn(inputs, outputs, kernel, stride, dilation, groups) for _ in range(branches)
        )
        scale = not plain and kernel > 1
        self.rbr_scale = conv_bn(inputs, outputs, 1, stride, 1, groups) if scale else None

    def forward(self, x):
        out = sum(branch(x) for branch in self.rbr_conv)
        for branch in (self.rbr_scale, self.rbr_skip):
            if branch is not None:
                out = out + branch(x)
        return out.relu()


class Head(nn.Module):
    def __init__(self, inputs, rates, separable, pooling, auxiliary):
        super().__init__()
        self.aspp0 = Unit(inputs, CHANNELS, 1)
        for i, rate in enumerate(rates, 1):
            if separable:
                setattr(self, f"aspp{i}_depthwise", Unit(inputs, inputs, 3, 1, rate, inputs))
                setattr(self, f"aspp{i}_pointwise", Unit(inputs, CHANNELS, 1))
            else:
                setattr(self, f"aspp{i}", Unit(inputs, CHANNELS, 3, 1, rate))
        if pooling:
            self.pooling = Unit(inputs, CHANNELS, 1)
        self.project = Unit((4 + pooling) * CHANNELS, CHANNELS, 1)
        self.classify = nn.Conv2d(CHANNELS, CLASSES, 1)
        if auxiliary:
            hidden = max(WIDTHS[2] // 4, 128)
            self.auxiliary = Unit(WIDTHS[2], hidden, 3)
            self.auxiliary_classify = nn.Conv2d(hidden, CLASSES, 1)
        self.separable, self.has_pooling = separable, pooling

    def forward(self, x):
        maps = [self.aspp0(x)]
        for i in (1, 2, 3):
            if self.separable:
                maps.append(getattr(self, f"aspp{i}_pointwise")(getattr(self, f"aspp{i}_depthwise")(x)))
            else:
                maps.append(getattr(self, f"aspp{i}")(x))
        if self.has_pooling:
            pooled = self.pooling(F.adaptive_avg_pool2d(x, 1))
            maps.append(F.interpolate(pooled, x.shape[2:], mode="bilinear", align_corners=False))
        return self.classify(self.project(torch.cat(maps, 1)))


class Network(nn.Module):
    def __init__(self, output_stride, **head):
        super().__init__()
        self.stage0 = Unit(3, WIDTHS[0], 3, 2, plain=False)
        channels, reached, dilation, previous = WIDTHS[0], 2, 1, 1
        for s, (depth, width) in enumerate(zip(DEPTHS, WIDTHS)):
            stride = 2 if 2 * reached <= output_stride else 1
            reached, dilation = (reached * 2, dilation) if stride == 2 else (reached, dilation * 2)
            units = []
            for block in range(depth):
                own_stride, own_dilation = (stride, previous) if block == 0 else (1, dilation)
                units.append(
                    Unit(channels, channels, 3, own_stride, own_dilation, channels, BRANCHES, False)
                )
                units.append(Unit(channels, width, 1, branches=BRANCHES, plain=False))
                channels = width
            previous = dilation
            setattr(self, f"stage{s + 1}", nn.Sequential(*units))
        self.head = Head(channels, **head)

    def forward(self, x):
        size = x.shape[2:]
        for s in range(4):
            x = getattr(self, f"stage{s}")(x)
        stage3, x = x, self.stage4(x)
        outputs = [self.head(x)]
        if self.training and hasattr(self.head, "auxiliary"):
            outputs.append(self.head.auxiliary_classify(self.head.auxiliary(stage3)))
        return [F.interpolate(y, size, mode="bilinear", align_corners=False) for y in outputs]


def loss_of(outputs, masks):
    losses = [F.cross_entropy(y, masks.long(), ignore_index=255) for y in outputs]
    return losses[0] + sum(0.4 * loss for loss in losses[1:])


@torch.no_grad()
def draw_norms_and_biases(network):
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif value.dim() == 1:
            value.normal_(0.5, 0.5)


def golden(seed, **options):
    torch.manual_seed(seed)
    network = Network(**options)
    draw_norms_and_biases(network)
    images = torch.randn(2, 3, 40, 32)
    masks = torch.randint(0, CLASSES, (2, 40, 32), dtype=torch.uint8)
    masks[:, :5] = 255
    masks[1, 20:, 10:17] = 255
    result = {"images": images.clone(), "masks": masks}
    result |= {f"state.{name}": value.clone() for name, value in network.state_dict().items()}
    outputs = network.double().train()(images.double())
    loss = loss_of(outputs, masks)
    loss.backward()
    result["train_loss"] = loss.detach()
    # The maps are large: enough of their pixels.
    result |= {f"train_logits.{i}": y.detach()[:, :, ::7, ::5] for i, y in enumerate(outputs)}
    result |= {f"grad.{name}": p.grad for name, p in network.named_parameters()}
    result |= {
        f"after.{name}": value.clone()
        for name, value in network.state_dict().items()
        if "running" in name
    }
    with torch.no_grad():
        result["eval_logits"] = network.eval()(images.double())[0][:, :, ::7, ::5]
    return {name: value.contiguous() for name, value in result.items()}


if __name__ == "__main__":
    dense = dict(rates=(2, 3, 5), separable=False, pooling=True)
    separable = dict(rates=(1, 2, 4), separable=True)
    for name, seed, options in (
        ("dense_16", 1, dict(output_stride=16, auxiliary=True, **dense)),
        ("dense_8", 2, dict(output_stride=8, auxiliary=False, **dense)),
        ("separable_16", 3, dict(output_stride=16, auxiliary=False, pooling=False, **separable)),
        ("separable_8", 4, dict(output_stride=8, auxiliary=True, pooling=True, **separable)),
    ):
        save_file(golden(seed, **options), GOLDEN / f"segment_{name}.safetensors")
