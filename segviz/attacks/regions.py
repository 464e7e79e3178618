"""Regions: where a picture may change, and where it is to break, written as text so that a link or an option can hold them.

"class:NAME" is where the labels say NAME, "outside:NAME" everywhere else; "polygon:X,Y X,Y X,Y" is the inside of a polygon whose
corners are in per cent of the picture's width and height, several of them separated by "|". Empty text is the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from segviz.attacks.goals import class_index
from segviz.data.label_sets import LabelSet
from segviz.deferred import torch
from segviz.settings import REGION_FORMS
from segviz.types import VOID, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.attacks.constraints import Constraint


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
    if not region:
        return torch.ones_like(labels, dtype=torch.bool)
    masks = [pixels_of_region(region, one, label_set) for one in labels.cpu().numpy()]
    return torch.from_numpy(np.stack(masks)).to(labels.device)


def confined(labels: Tensor, where: Tensor) -> Tensor:
    """Maps (N,H,W) of which only the pixels `where` (N,H,W) bool count."""
    return labels.masked_fill(~where, VOID)


def pixels_of_region(region: str, labels: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """As `region_mask`, of one picture (H,W) and for a region that is not empty."""
    kind, _, rest = region.partition(":")
    if kind in ("class", "outside"):
        return (labels == class_index(label_set, rest)) == (kind == "class")
    if kind == "polygon":
        return inside(rest, *labels.shape)
    raise UserError(f"'{region}' is no region. Write {REGION_FORMS}.")


def inside(text: str, height: int, width: int) -> np.ndarray:
    """The inside of polygons in per cent, as (height, width) bool; raises UserError where the text holds none."""
    picture = np.zeros((height, width), bool)
    for part in text.split("|"):
        try:
            corners = np.array([[float(value) for value in corner.split(",")] for corner in part.split()])
        except ValueError:
            corners = np.empty(0)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise UserError(f"'{part}' is no polygon. Write at least three corners as X,Y in per cent, separated by spaces.")
        picture |= centres_inside(corners.clip(-100, 200) / 100 * [width, height], height, width)
    return picture


def centres_inside(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels (height, width) bool whose centres lie inside a polygon with these corners (n,2), x and y in pixels.

    Inside is where a line to the left crosses the border an odd number of times, so that two polygons with a border in common share no
    pixel. Pixel n reaches from n to n + 1.
    """
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    odd = np.zeros((height, width), bool)
    for (left, top), (right, bottom) in zip(corners, np.roll(corners, -1, 0), strict=True):
        crossed = (top <= rows) != (bottom <= rows)
        if crossed.any():
            odd[crossed] ^= columns > (left + (rows[crossed] - top) / (bottom - top) * (right - left))[:, None]
    return odd
