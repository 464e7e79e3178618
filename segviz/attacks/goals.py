"""Goals: labels to break, of all classes or one; one class everywhere, one removed, two swapped; a given map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segviz.data.label_sets import LabelSet
from segviz.deferred import cv2, torch
from segviz.settings import GIVEN, Settings
from segviz.types import VOID, Goal, UserError

if TYPE_CHECKING:
    from torch import Tensor


def class_index(label_set: LabelSet, name: str) -> int:
    """Index of a class by name; raises UserError for a name that the label set does not have."""
    if name not in label_set.classes:
        raise UserError(f"The model has no class '{name}'. It has: {', '.join(label_set.classes)}.")
    return label_set.classes.index(name)


def classes_of(settings: Settings) -> tuple[str, ...]:
    """The classes that the goal of `settings` speaks of."""
    named = {"break": (), GIVEN: (), "swap": (settings.target, settings.other)}.get(settings.goal, (settings.target,))
    return tuple(name for name in named if name is not None)


def present(labels: Tensor, names: tuple[str, ...], label_set: LabelSet) -> Tensor:
    """The maps (N,) bool of `labels` (N,H,W) that hold at least one of the classes."""
    classes = torch.tensor([class_index(label_set, name) for name in names]).to(labels)
    return torch.isin(labels, classes).flatten(1).any(1)


def build_goal(settings: Settings, reference: Tensor, clean_prediction: Tensor, label_set: LabelSet, given: Tensor | None = None) -> Goal:
    """The goal that `settings` name, for maps (N,H,W): `reference` is to be broken, targets start from `clean_prediction`.

    `given` is the map (N,H,W) of the goal GIVEN. Raises UserError for a class that the label set does not have, where a picture lacks
    the classes that the goal speaks of, and for a given map that is void everywhere.
    """
    if settings.goal == "break":
        return Goal(reference)
    if settings.goal == GIVEN:
        return towards(given)
    assert settings.target is not None
    target = class_index(label_set, settings.target)
    if settings.goal == "class":
        if not present(reference, classes_of(settings), label_set).all():
            raise UserError(f"No pixel is labelled {settings.target}, so there is nothing to break. Choose another class.")
        return Goal(reference, mask=reference == target)
    if settings.goal == "everywhere":
        return Goal(torch.full_like(clean_prediction, target), targeted=True)
    if not present(clean_prediction, classes_of(settings), label_set).all():
        seen = [label_set.classes[index] for index in clean_prediction.unique().tolist()]
        names = settings.target if settings.goal == "remove" else f"{settings.target} and no {settings.other}"
        raise UserError(f"The model sees no {names} in this picture, so there is none to {settings.goal}. It sees: {', '.join(seen)}.")
    if settings.goal == "swap":
        assert settings.other is not None
        return Goal(swapped(clean_prediction, target, class_index(label_set, settings.other)), targeted=True)
    return Goal(torch.stack([without_class(labels, target) for labels in clean_prediction]), targeted=True)


def towards(target_map: Tensor | None) -> Goal:
    """The goal of reaching maps (N,H,W), whose void pixels do not count; raises UserError where there is no map or one is all void."""
    if target_map is None:
        raise UserError(f"The goal '{GIVEN}' needs a target map. Give one along with the settings.")
    if (target_map == VOID).flatten(1).all(1).any():
        raise UserError("Every pixel of the target map is void (255), so there is nothing to reach. Choose another map.")
    return Goal(target_map.long(), targeted=True)


def fitted(labels: Tensor, height: int, width: int) -> Tensor:
    """A map (H,W) brought to another size by nearest neighbour, which keeps its classes; the sides are stretched independently."""
    rows, columns = (
        (torch.arange(new, device=labels.device) + 0.5) * old / new for new, old in zip((height, width), labels.shape, strict=True)
    )
    return labels[rows.long()][:, columns.long()]


def swapped(labels: Tensor, one: int, other: int) -> Tensor:
    """Maps (N,H,W) in which two classes have changed places."""
    return torch.where(labels == one, other, torch.where(labels == other, one, labels))


def without_class(labels: Tensor, removed: int) -> Tensor:
    """A map (H,W) in which the pixels of class `removed` take the class of the nearest other pixel; class 0 if there is no other."""
    hole = (labels == removed).cpu().numpy()
    if hole.all():
        return torch.zeros_like(labels)
    # Each zero pixel gets an index of its own, and every other pixel the index of its nearest zero pixel.
    _, nearest = cv2.distanceTransformWithLabels(hole.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    class_of = np.zeros(nearest.max() + 1, np.int64)
    kept = labels.cpu().numpy()
    class_of[nearest[~hole]] = kept[~hole]
    return torch.from_numpy(class_of[nearest]).to(labels)
