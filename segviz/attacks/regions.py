"""Regions: where a picture may change, written as text so that a link or an option can hold them.

"class:NAME" is where the labels say NAME, "outside:NAME" everywhere else; "polygon:X,Y X,Y X,Y" is the inside of a polygon whose
corners are in per cent of the picture's width and height, several of them separated by "|". Empty text is the whole picture.
"""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import torch
from torch import Tensor

from segviz.attacks.constraints import Constraint
from segviz.attacks.goals import class_index
from segviz.data.label_sets import LabelSet
from segviz.settings import REGION_FORMS
from segviz.types import UserError


@dataclass(frozen=True)
class Within:
    """A constraint whose change is confined to the pixels of `mask` (N,1,H,W) bool."""

    constraint: Constraint
    mask: Tensor

    @property
    def eps(self) -> float:
        return self.constraint.eps

    def scaled(self, factor: float) -> Self:
        return replace(self, constraint=self.constraint.scaled(factor))

    def project(self, x_adv: Tensor, x: Tensor) -> Tensor:
        return self.constraint.project(torch.where(self.mask, x_adv, x), x)

    def steepest(self, gradient: Tensor) -> Tensor:
        return self.constraint.steepest(gradient * self.mask)

    def random_point(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return torch.where(self.mask, self.constraint.random_point(x, generator), x)

    def to_8bit(self, x_adv: Tensor, x: Tensor) -> Tensor:
        return self.constraint.to_8bit(torch.where(self.mask, x_adv, x), x)


def region_mask(region: str, labels: Tensor, label_set: LabelSet) -> Tensor:
    """The pixels (N,H,W) bool that `region` names in pictures with these `labels` (N,H,W); all of them if it is empty.

    Raises UserError for text that is no region and for an unknown class.
    """
    kind, _, rest = region.partition(":")
    if not region:
        return torch.ones_like(labels, dtype=torch.bool)
    if kind in ("class", "outside"):
        return (labels == class_index(label_set, rest)) == (kind == "class")
    if kind == "polygon":
        return torch.from_numpy(inside(rest, *labels.shape[1:])).to(labels.device).expand(labels.shape)
    raise UserError(f"'{region}' is no region. Write {REGION_FORMS}.")


def inside(text: str, height: int, width: int) -> np.ndarray:
    """The inside of polygons in per cent, as (height, width) bool; raises UserError where the text holds none."""
    picture = np.zeros((height, width), np.uint8)
    for part in text.split("|"):
        try:
            corners = np.array([[float(value) for value in corner.split(",")] for corner in part.split()])
        except ValueError:
            corners = np.empty(0)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise UserError(f"'{part}' is no polygon. Write at least three corners as X,Y in per cent, separated by spaces.")
        # The nearest pixel centres: pixel n reaches from n to n + 1.
        pixels = np.round(corners.clip(-100, 200) / 100 * [width, height] - 0.5).astype(np.int32)
        cv2.fillPoly(picture, [pixels], 1)
    return picture.astype(bool)
