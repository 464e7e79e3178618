"""Numbers that papers print, to stand beside ours: other models, other data, other machines, so never to be mixed with ours."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A model under a worst case as a paper prints it.

    `accuracy` and `miou` map eps in grey levels to rates in [0,1], 0 being the clean pictures; `source` is paper and table.
    """

    model: str
    data: str
    attack: str
    accuracy: Mapping[float, float]
    miou: Mapping[float, float]
    source: str
    url: str


SEA = "Croce, Singh & Hein, ECCV 2024"
SEA_URL = "https://arxiv.org/abs/2306.12941"


def of_sea(model: str, data: str, table: int, values: Mapping[float, tuple[float, float]]) -> Published:
    """A row of a table of the SEA paper; `values` maps eps to accuracy and mIoU in per cent."""
    return Published(
        model,
        data,
        "SEA",
        {eps: accuracy / 100 for eps, (accuracy, _) in values.items()},
        {eps: miou / 100 for eps, (_, miou) in values.items()},
        f"{SEA}, Table {table}",
        SEA_URL,
    )


PUBLISHED = (
    of_sea("UPerNet ConvNeXt-T, clean training", "VOC", 1, {0: (93.4, 77.2), 0.25: (70.0, 36.9), 0.5: (31.1, 8.6), 1: (4.9, 0.6)}),
    of_sea("PSPNet-50, DDC-AT", "VOC", 1, {0: (92.8, 76.0), 2: (0.2, 0.1), 4: (0.1, 0.0), 8: (0.0, 0.0)}),
    of_sea("PSPNet-50, PIR-AT", "VOC", 2, {0: (90.6, 68.9), 4: (81.5, 47.7), 8: (50.6, 11.2), 12: (12.9, 1.4)}),
    of_sea("UPerNet ConvNeXt-T, AT", "VOC", 2, {0: (91.9, 73.1), 4: (86.7, 59.0), 8: (65.3, 28.2), 12: (22.0, 4.7)}),
    of_sea("UPerNet ConvNeXt-T, PIR-AT", "VOC", 1, {0: (92.7, 75.9), 4: (88.6, 64.9), 8: (71.7, 34.6), 12: (28.1, 5.5)}),
    of_sea("UPerNet ConvNeXt-S, PIR-AT", "VOC", 2, {0: (93.1, 76.6), 4: (89.1, 66.0), 8: (71.0, 36.4), 12: (27.6, 6.2)}),
    of_sea("UPerNet ConvNeXt-T, PIR-AT", "ADE20K", 1, {0: (70.5, 31.7), 4: (55.5, 17.2), 8: (26.4, 4.9), 12: (3.1, 0.4)}),
    of_sea("Segmenter ViT-S, PIR-AT", "ADE20K", 1, {0: (69.1, 28.7), 4: (55.3, 14.9), 8: (33.3, 5.4)}),
)
"""Worst cases that papers print, all under L-inf."""
