#!/usr/bin/env python3
"""Writes tests/golden/detect_*.safetensors: SSDLite in float64 by PyTorch and torchvision.

detect_boxes: anchors of the three presets at 320 px; what torchvision's SSDMatcher and BoxCoder make
of random boxes; the loss of its SSD and the gradient of random outputs; what remains of random
outputs after its postprocessing.

detect_NAME: tiny networks with heads of either kind, one training pass each; as in
golden_segment.py, whose units they are made of.

Run with a Python that has torch, torchvision and safetensors.
"""

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from golden_segment import BRANCHES, DEPTHS, GOLDEN, Unit, draw_norms_and_biases
from safetensors.torch import save_file
from torch import nn
from torchvision.models.detection import _utils as det_utils
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

CLASSES, WIDTHS = 5, (8, 8, 12, 10)


def map_sizes(size, strides):
    return [math.ceil(size / stride) for stride in strides]


def torchvision_anchors(size):
    torch.set_default_dtype(torch.float64)
    maps = [torch.zeros(1, 1, n, n) for n in map_sizes(size, (16, 32, 64, 128, 256, 512))]
    generator = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
    generator._wh_pairs = generator._generate_wh_pairs(6, dtype=torch.float64)
    images = ImageList(torch.zeros(1, 3, size, size), [(size, size)])
    boxes = generator(images, maps)[0]
    torch.set_default_dtype(torch.float32)
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def mmdetection_anchors(size):
    """Of 320 px: the strides and sides that its configuration spells out."""
    anchors = []
    strides, least, most = (16, 32, 64, 107, 160, 320), (48, 100, 150, 202, 253, 304), (100, 150, 202, 253, 304, 320)
    for n, stride, low, high in zip(map_sizes(size, (16, 32, 64, 128, 256, 512)), strides, least, most):
        sides = [(low, low), (math.sqrt(low * high),) * 2]
        for ratio in (2, 3):
            sides += [(low * math.sqrt(ratio), low / math.sqrt(ratio)), (low / math.sqrt(ratio), low * math.sqrt(ratio))]
        anchors += [
            (x * stride + stride / 2, y * stride + stride / 2, w, h) for y in range(n) for x in range(n) for w, h in sides
        ]
    return torch.tensor(anchors, dtype=torch.float64)


def cvnets_anchors(size):
    scales = torch.linspace(0.1, 1.05, 7, dtype=torch.float64).tolist()
    anchors = []
    for level, n in enumerate(map_sizes(size, (16, 32, 64, 128, 256, 512))):
        s, between = scales[level], math.sqrt(scales[level] * scales[level + 1])
        sides = [(s, s), (between, between)]
        for ratio in (2, 3) if level < 5 else (2,):
            sides += [(s * math.sqrt(ratio), s / math.sqrt(ratio)), (s / math.sqrt(ratio), s * math.sqrt(ratio))]
        anchors += [((x + 0.5) / n, (y + 0.5) / n, w, h) for y in range(n) for x in range(n) for w, h in sides]
    return torch.tensor(anchors, dtype=torch.float64).clamp(0, 1) * size


def corners(anchors):
    return torch.cat([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)


def random_boxes(count, size):
    begin = torch.rand(count, 2, dtype=torch.float64) * 0.7 * size
    return torch.cat([begin, begin + 8 + torch.rand(count, 2, dtype=torch.float64) * 0.3 * size], 1)


def targets_of(anchors, boxes, classes):
    """Labels and offsets of each anchor, and which box it has (-1: none)."""
    matched = det_utils.SSDMatcher(0.5)(box_iou(boxes, corners(anchors)))
    coder = det_utils.BoxCoder((10.0, 10.0, 5.0, 5.0))
    labels, offsets = torch.zeros(len(anchors), dtype=torch.int64), torch.zeros(len(anchors), 4, dtype=torch.float64)
    has = matched >= 0
    labels[has] = 1 + classes[matched[has]]
    offsets[has] = coder.encode_single(boxes[matched[has]], corners(anchors)[has])
    return labels, offsets, matched


def torchvision_loss(outputs, anchors, boxes, classes, matched):
    ssd = SimpleNamespace(box_coder=det_utils.BoxCoder((10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=3)
    heads = {"bbox_regression": outputs[:, :, :4], "cls_logits": outputs[:, :, 4:]}
    targets = [{"boxes": b, "labels": 1 + c} for b, c in zip(boxes, classes)]
    parts = SSD.compute_loss(ssd, targets, heads, [corners(anchors)] * len(boxes), matched)
    return parts["bbox_regression"] + parts["classification"]


def postprocessed(outputs, anchors, size):
    ssd = SimpleNamespace(
        box_coder=det_utils.BoxCoder((10.0, 10.0, 5.0, 5.0)),
        score_thresh=0.02,
        topk_candidates=300,
        nms_thresh=0.45,
        detections_per_img=200,
    )
    heads = {"bbox_regression": outputs[:, :, :4], "cls_logits": outputs[:, :, 4:]}
    return SSD.postprocess_detections(ssd, heads, [corners(anchors).float()], [(size, size)])[0]


def golden_boxes():
    torch.manual_seed(1)
    size = 320
    result = {
        "anchors.torchvision": torchvision_anchors(size),
        "anchors.mmdetection": mmdetection_anchors(size),
        "anchors.cvnets": cvnets_anchors(size),
    }
    small = 96
    anchors = torchvision_anchors(small)
    boxes = [random_boxes(count, small) for count in (7, 1)]
    boxes[0][6] = boxes[0][2]  # two boxes with one best anchor
    classes = [torch.randint(0, CLASSES, (len(b),)) for b in boxes]
    found = [targets_of(anchors, b, c) for b, c in zip(boxes, classes)]
    for i, (labels, offsets, _) in enumerate(found):
        result |= {f"boxes.{i}": boxes[i], f"classes.{i}": classes[i], f"labels.{i}": labels, f"offsets.{i}": offsets}
    outputs = torch.randn(2, len(anchors), 4 + 1 + CLASSES, dtype=torch.float64).requires_grad_()
    loss = torchvision_loss(outputs, anchors, boxes, classes, [m for _, _, m in found])
    loss.backward()
    result |= {"outputs": outputs.detach(), "loss": loss.detach(), "gradient": outputs.grad}
    few = torch.randn(1, len(anchors), 4 + 1 + CLASSES) * 2
    few[:, 10:20] = few[:, 20:30]  # equal scores
    detections = postprocessed(few, anchors, small)
    result |= {"detect.outputs": few[0], "detect.boxes": detections["boxes"], "detect.scores": detections["scores"]}
    result["detect.labels"] = detections["labels"]
    return result


class Head(nn.Module):
    def __init__(self, strides, extras, joint):
        super().__init__()
        self.stages = [s for s in (2, 3, 4) if 2 * 2**s in strides]
        channels = [WIDTHS[s - 1] for s in self.stages]
        self.extras, inputs = len(extras), WIDTHS[3]
        for i, out in enumerate(extras, 1):
            setattr(self, f"extra{i}_reduce", Unit(inputs, out // 2, 1))
            setattr(self, f"extra{i}_depthwise", Unit(out // 2, out // 2, 3, 2, 1, out // 2))
            setattr(self, f"extra{i}_expand", Unit(out // 2, out, 1))
            inputs = out
            channels.append(out)
        self.joint, self.levels = joint, len(channels)
        for i, c in enumerate(channels, 1):
            if joint:
                setattr(self, f"level{i}_depthwise", Unit(c, c, 3, 1, 1, c))
            for what, outputs in (("classes", CLASSES + 1), ("boxes", 4)):
                if not joint:
                    setattr(self, f"level{i}_{what}_depthwise", Unit(c, c, 3, 1, 1, c))
                setattr(self, f"level{i}_{what}", nn.Conv2d(c, 6 * outputs, 1))

    def forward(self, stages):
        maps = [stages[s - 1] for s in self.stages]
        for i in range(1, self.extras + 1):
            x = maps[-1] if i > 1 else stages[3]
            for part in ("reduce", "depthwise", "expand"):
                x = getattr(self, f"extra{i}_{part}")(x)
            maps.append(x)
        rows = []
        for i, x in enumerate(maps, 1):
            parts = []
            if self.joint:
                x = getattr(self, f"level{i}_depthwise")(x)
            for what, outputs in (("boxes", 4), ("classes", CLASSES + 1)):
                y = x if self.joint else getattr(self, f"level{i}_{what}_depthwise")(x)
                y = getattr(self, f"level{i}_{what}")(y)
                parts.append(y.permute(0, 2, 3, 1).reshape(len(y), -1, outputs))
            rows.append(torch.cat(parts, 2))
        return torch.cat(rows, 1)


class Network(nn.Module):
    def __init__(self, **head):
        super().__init__()
        self.stage0 = Unit(3, WIDTHS[0], 3, 2, plain=False)
        channels = WIDTHS[0]
        for s, (depth, width) in enumerate(zip(DEPTHS, WIDTHS)):
            units = []
            for block in range(depth):
                units.append(Unit(channels, channels, 3, 2 if block == 0 else 1, 1, channels, BRANCHES, False))
                units.append(Unit(channels, width, 1, branches=BRANCHES, plain=False))
                channels = width
            setattr(self, f"stage{s + 1}", nn.Sequential(*units))
        self.head = Head(**head)

    def forward(self, x):
        x, stages = self.stage0(x), []
        for s in range(1, 5):
            x = getattr(self, f"stage{s}")(x)
            stages.append(x)
        return self.head(stages)


def golden_network(seed, **options):
    torch.manual_seed(seed)
    network = Network(**options)
    draw_norms_and_biases(network)
    images = torch.randn(3, 3, 96, 80)
    result = {"images": images.clone()}
    result |= {f"state.{name}": value.clone() for name, value in network.state_dict().items()}
    outputs = network.double().train()(images.double())
    positive = torch.rand(outputs.shape[:2]) < 0.05
    positive[2] = False  # an image without objects teaches nothing
    labels = torch.where(positive, torch.randint(1, CLASSES + 1, positive.shape), torch.zeros((), dtype=torch.int64))
    offsets = torch.randn(*outputs.shape[:2], 4) * positive.unsqueeze(2)
    losses = F.cross_entropy(outputs[:, :, 4:].flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    background = -outputs[:, :, 4:].log_softmax(2)[:, :, 0].detach()
    background[positive] = -math.inf
    ranks = background.argsort(1, descending=True).argsort(1)
    counted = positive | (ranks < 3 * positive.sum(1, keepdim=True))
    boxes = F.smooth_l1_loss(outputs[:, :, :4][positive], offsets[positive].double(), reduction="sum")
    loss = (losses[counted].sum() + boxes) / positive.sum()
    loss.backward()
    result |= {"labels": labels, "offsets": offsets, "train_outputs": outputs.detach()[:, ::3], "train_loss": loss.detach()}
    result |= {f"grad.{name}": p.grad for name, p in network.named_parameters()}
    result |= {f"after.{name}": v.clone() for name, v in network.state_dict().items() if "running" in name}
    with torch.no_grad():
        result["eval_outputs"] = network.eval()(images.double())[:, ::3]
    return {name: value.contiguous() for name, value in result.items()}


if __name__ == "__main__":
    save_file({k: v.contiguous() for k, v in golden_boxes().items()}, GOLDEN / "detect_boxes.safetensors")
    for name, seed, options in (
        ("separate", 1, dict(strides=(16, 32, 64, 128), extras=(8, 6), joint=False)),
        ("joint", 2, dict(strides=(8, 16, 32, 64), extras=(8,), joint=True)),
    ):
        save_file(golden_network(seed, **options), GOLDEN / f"detect_{name}.safetensors")
