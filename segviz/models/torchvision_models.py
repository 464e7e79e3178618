"""torchvision's segmentation networks with its `COCO_WITH_VOC_LABELS_V1` weights; torchvision is imported only when one is built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from segviz.data.label_sets import VOC21
from segviz.models.entry import ModelEntry
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import nn

RESNET_LAYERS = ("backbone.layer1", "backbone.layer2", "backbone.layer3", "backbone.layer4")
MOBILENET_LAYERS = ("backbone.3", "backbone.6", "backbone.12", "backbone.16")
# key, title, builder, file, megabytes, parameters, published mIoU, layers; the eight digits in the file's name begin its sha256.
ROWS = (
    ("fcn-resnet50", "FCN, ResNet-50", "fcn_resnet50", "fcn_resnet50_coco-1167a1af.pth", 135.009, 35_322_218, 60.5, RESNET_LAYERS),
    ("fcn-resnet101", "FCN, ResNet-101", "fcn_resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 207.711, 54_314_346, 63.7, RESNET_LAYERS),
    (
        "deeplabv3-resnet50",
        "DeepLabV3, ResNet-50",
        "deeplabv3_resnet50",
        "deeplabv3_resnet50_coco-cd0a2569.pth",
        160.515,
        42_004_074,
        66.4,
        RESNET_LAYERS,
    ),
    (
        "deeplabv3-resnet101",
        "DeepLabV3, ResNet-101",
        "deeplabv3_resnet101",
        "deeplabv3_resnet101_coco-586e9e4e.pth",
        233.217,
        60_996_202,
        67.4,
        RESNET_LAYERS,
    ),
    (
        "deeplabv3-mobilenetv3",
        "DeepLabV3, MobileNetV3",
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        42.301,
        11_029_328,
        60.3,
        MOBILENET_LAYERS,
    ),
    (
        "lraspp-mobilenetv3",
        "LR-ASPP, MobileNetV3",
        "lraspp_mobilenet_v3_large",
        "lraspp_mobilenet_v3_large-d234d4ea.pth",
        12.49,
        3_221_538,
        57.9,
        MOBILENET_LAYERS,
    ),
)


def build(builder: str) -> nn.Module:
    """torchvision's network with random weights, with the auxiliary head where the published weights have one."""
    try:
        from torchvision.models import segmentation
    except (ImportError, RuntimeError) as error:
        raise UserError(f"This model needs torchvision in the version that fits torch: pip install torchvision ({error}).") from None
    construct: Callable[..., nn.Module] = getattr(segmentation, builder)
    auxiliary = {} if builder.startswith("lraspp") else {"aux_loss": True}
    return construct(weights=None, weights_backbone=None, num_classes=21, **auxiliary)


TORCHVISION = tuple(
    ModelEntry(
        key=f"torchvision-{key}",
        title=title,
        build=partial(build, builder),
        url=f"https://download.pytorch.org/models/{file}",
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        size=round(megabytes * 2**20),
        parameters=parameters,
        label_set=VOC21,
        working_size=520,
        published=f"{miou} % mIoU on COCO val2017 with VOC labels (torchvision)",
        data="torchvision, trained on the photos of COCO train2017 that show VOC classes",
        licence="BSD-3-Clause",
        layers=layers,
    )
    for key, title, builder, file, megabytes, parameters, miou, layers in ROWS
)
