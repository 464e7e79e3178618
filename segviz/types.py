"""The few records that everyone shares; this module does not load torch, so that pages which only show results need not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

VOID = 255
"""Label of pixels that do not count (`ignore_index`)."""

THRESHOLDS = (0.90, 0.98, 0.99)
"""Shares of pixels at which a smallest perturbation is reported (Halmosi & Jelasity, 2306.14217)."""


class UserError(Exception):
    """Something the user can put right; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Reading:
    """What a person says of label maps whose files leave it open.

    `mask_class`: the maps are masks of this class: 255, or the higher value of a map that holds only two, stands for it. `by`: what
    counts in a map with a palette or in colours, its "ids" or its "colours"; empty: decided by the palette. `turned`: the maps lie as
    their photos are stored, so that they are turned along where EXIF turns a photo.
    """

    mask_class: str = ""
    by: str = ""
    turned: bool = False


UNSAID = Reading()


@dataclass(frozen=True)
class Goal:
    """What an attack wants.

    `labels` are integer maps (N,H,W): the labels to break or, if `targeted`, the map to reach. Pixels that are 255 there or False in
    `mask` (N,H,W) do not count.
    """

    labels: Tensor
    targeted: bool = False
    mask: Tensor | None = None

    @cached_property
    def counted(self) -> Tensor:
        """Pixels that count, (N,H,W) bool."""
        valid = self.labels != VOID
        return valid if self.mask is None else valid & self.mask

    @cached_property
    def safe_labels(self) -> Tensor:
        """`labels` as int64 with 0 in place of void, fit for indexing."""
        return self.labels.long().masked_fill(self.labels == VOID, 0)

    @cached_property
    def pixels(self) -> Tensor:
        """Number of counted pixels per image (N,), at least 1."""
        return self.counted.sum((1, 2)).clamp(min=1)

    @cached_property
    def weight(self) -> Tensor:
        """What a pixel weighs in a mean over its image's counted pixels: 1/`pixels`, or 0 if it does not count; (N,H,W) float."""
        return self.counted.float() / self.pixels.view(-1, 1, 1)

    def success(self, prediction: Tensor) -> Tensor:
        """Share of counted pixels (N,) at which `prediction` (N,H,W) is what the attack wants: the target, or not the label."""
        reached = (prediction == self.safe_labels) == self.targeted
        return (reached & self.counted).sum((1, 2)).float() / self.pixels


class StepKind(Enum):
    """What a Step looks at; all but `ITERATE` are 8-bit pictures."""

    CLEAN = "clean"
    ITERATE = "iterate"
    MEMBER_RESULT = "member result"
    """The result of one attack of a suite, after which the suite goes on."""
    RESULT = "result"
    """The last Step of a run."""


@dataclass(frozen=True)
class Step:
    """One look at a running attack; every field belongs to the same forward pass.

    `x_adv` (N,3,H,W) in [0,1]; `prediction` (N,H,W) class indices; `logits` (N,C,H,W); `loss` (N,), the pixel loss as
    a mean over counted pixels (an untargeted attack makes it larger, a targeted one smaller); `success` (N,) in [0,1] as in
    `Goal.success`; `best` (N,3,H,W), the strongest iterate so far, image by image, and its `best_success` (N,);
    `gradient_evaluations`, the backward passes through the network per image that were needed to come here, and `passes`, those and the
    forward passes: a look of a model that looks several times (scales, views) counts as so many, a gradient of two losses as two.
    Of a batch they are those of the image that took most.
    `kind` says whether it is the clean picture, an iterate or a result.
    `stage` counts the parts of a run that begin anew from another point (restarts, radii, members of a suite), from 0; `member` is the
    key of the attack at work in a suite.
    `smallest` (N, len(THRESHOLDS)), of attacks that look for the smallest perturbation: the
    smallest L-inf norm, on the [0,1] scale and before rounding, of an iterate so far whose success is at least the threshold;
    inf where there is none.
    """

    index: int
    x_adv: Tensor
    logits: Tensor
    prediction: Tensor
    loss: Tensor
    success: Tensor
    best: Tensor
    best_success: Tensor
    gradient_evaluations: int
    kind: StepKind = StepKind.ITERATE
    stage: int = 0
    member: str = ""
    smallest: Tensor | None = None
    passes: int = 0
