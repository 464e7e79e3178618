"""Target maps: what a model is to see in place of a picture's own segmentation, described so that pictures of any size get theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from segviz.attacks.goals import class_index, fitted, without_class
from segviz.attacks.regions import inside
from segviz.data.label_sets import LabelSet
from segviz.deferred import torch
from segviz.lab import to_tensor
from segviz.records import Picture
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter


class TargetMap(Protocol):
    """A description of a target map."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that the map comes in, None where every picture gets a map of its own size to begin with."""
        ...

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        """The map (H,W) of class indices, 255 void, for a picture whose clean prediction by `model` is `clean` (H,W).

        Raises UserError where the description does not fit the model or the picture.
        """
        ...


@dataclass(frozen=True, eq=False)
class Given:
    """A map that is there: `labels` (h,w) uint8 class indices, 255 void; resized to each picture by nearest neighbour."""

    labels: np.ndarray

    @property
    def size(self) -> tuple[int, int] | None:
        height, width = self.labels.shape
        return height, width

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        return fitted(torch.from_numpy(self.labels).to(clean), *clean.shape)


@dataclass(frozen=True, eq=False)
class PredictionOn:
    """What the model sees in another photo, likewise resized."""

    picture: Picture

    @property
    def size(self) -> tuple[int, int] | None:
        height, width = self.picture.pixels.shape[:2]
        return height, width

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        with torch.no_grad():
            seen = model(to_tensor(self.picture.pixels, clean.device)).argmax(1)[0]
        return fitted(seen, *clean.shape)


@dataclass(frozen=True)
class Everywhere:
    """One class on every pixel: the static target of Metzen et al. (ICCV 2017, 1704.05712) at its simplest."""

    name: str
    size = None

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        return torch.full_like(clean, class_index(model.label_set, self.name))


@dataclass(frozen=True)
class Without:
    """The picture's own prediction in which the nearest other class takes the place of one (the dynamic target of 1704.05712)."""

    name: str
    size = None

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        removed = class_index(model.label_set, self.name)
        if not (clean == removed).any():
            seen = ", ".join(model.label_set.classes[index] for index in clean.unique().tolist())
            raise UserError(f"The model sees no {self.name} in this picture, so there is none to remove. It sees: {seen}.")
        return without_class(clean, removed)


@dataclass(frozen=True)
class Mirrored:
    """The picture's own prediction with left and right exchanged."""

    size = None

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        return clean.flip(1)


@dataclass(frozen=True)
class Painted:
    """Shapes painted over the picture's own prediction, or over the class `base` everywhere.

    `shapes` are pairs of a class and polygons as in `segviz.attacks.regions`, corners in per cent; later ones cover earlier ones.
    """

    shapes: tuple[tuple[str, str], ...]
    base: str = ""
    size = None

    def for_picture(self, clean: Tensor, model: Segmenter) -> Tensor:
        return torch.from_numpy(self.over(clean.cpu().numpy(), model.label_set)).to(clean.device)

    def over(self, clean: np.ndarray, label_set: LabelSet) -> np.ndarray:
        """As `for_picture`, for a clean prediction (H,W)."""
        labels = np.full_like(clean, class_index(label_set, self.base)) if self.base else clean.copy()
        for name, polygons in self.shapes:
            labels[inside(polygons, *clean.shape)] = class_index(label_set, name)
        return labels
