"""From a solution in real numbers to an 8-bit picture that keeps the slack in the real library's own arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import TYPE_CHECKING

import numpy as np

from segviz.deferred import torch
from segviz.scaling.kernels import Scaler
from segviz.scaling.solver import ScalingProblem

if TYPE_CHECKING:
    from torch import Tensor

MAX_ROUNDS = 300
PATIENCE = 40
"""Rounds without improvement after which the repair gives up."""

VALUES_AT_ONCE = 2**22


def to_pixels(image: Tensor) -> np.ndarray:
    """Values (C,H,W) in 0..255 to rounded 8-bit pixels (H,W,C)."""
    return image.round().byte().permute(1, 2, 0).contiguous().numpy()


def eight_bit(image: Tensor, problem: ScalingProblem, scaler: Scaler, stopped: Callable[[], bool]) -> tuple[np.ndarray, int]:
    """Round `image` (C,H,W) and repair it: the 8-bit picture (H,W,C) and the rounds of repair.

    In each round, every output value of `scaler.resize` further than eps + 0.5 from the target gets some of its source values moved by
    one grey level: heavy weights first, and rather those that were rounded the wrong way. Outputs that `image` itself misses
    (no solution) are left as they are. The picture with the smallest excess is returned, also after `stopped`.
    """
    values = image.round()
    size = (problem.target.shape[1], problem.target.shape[2])
    limit = floor(problem.eps + 0.5)
    reached = problem.violation(image) <= 0.25
    generator = torch.Generator().manual_seed(0)
    best, best_excess, since = values, float("inf"), 0
    for rounds in range(MAX_ROUNDS + 1):
        scaled = torch.from_numpy(scaler.resize(to_pixels(values), size)).permute(2, 0, 1).double()
        error = scaled - problem.target
        excess = (error.abs() - limit).clamp(min=0) * reached
        since += 1
        if float(excess.sum()) < best_excess:
            best, best_excess, since = values, float(excess.sum()), 0
        if best_excess == 0 or since == PATIENCE or rounds == MAX_ROUNDS or stopped():
            break
        chosen = excess > 0
        if not problem.disjoint:
            # Neighbours share source pixels; a changing half of them keeps two from undoing each other for ever.
            chosen &= torch.rand(chosen.shape, generator=generator, dtype=torch.float32) < 0.5
        values = nudged(values, image, problem, error, chosen, limit)
    return to_pixels(best), rounds


def nudged(values: Tensor, image: Tensor, problem: ScalingProblem, error: Tensor, chosen: Tensor, limit: int) -> Tensor:
    """`values` (C,H,W) with source values of the `chosen` outputs moved by one grey level against their `error`, both (C,h,w)."""
    rows, row_weights = problem.left.taps
    columns, column_weights = problem.right.taps
    at_once = VALUES_AT_ONCE // (row_weights.shape[1] * column_weights.shape[1])
    c, i, j = (index[:at_once] for index in chosen.nonzero(as_tuple=True))
    place = (c[:, None, None], rows[i][:, :, None], columns[j][:, None, :])
    weights = (row_weights[i][:, :, None] * column_weights[j][:, None, :]).flatten(1)
    now = values[place].flatten(1)
    direction = -error[c, i, j].sign()[:, None]
    move = direction * weights.sign()
    open_ = (weights != 0) & (now + move >= 0) & (now + move <= 255)
    # How far rounding, and earlier rounds, went against this move.
    owed = move * (image[place].flatten(1) - now)
    score = weights.abs() / (1.5 - owed).clamp(min=0.5) * open_
    score, order = score.sort(1, descending=True)
    gain = weights.abs().gather(1, order)
    off = (-direction[:, 0] * ((weights * now).sum(1) - problem.target[c, i, j]) - limit - 0.5)[:, None]
    # Moves until the calculated output is inside again, and one in any case: the library's arithmetic is not quite the calculated one.
    enough = (score > 0) & (gain.cumsum(1) - gain <= off.clamp(min=0))
    step = torch.zeros_like(move).scatter(1, order, enough.to(move.dtype)) * move
    shape = (len(c), rows.shape[1], columns.shape[1])
    changed = values.clone()
    changed.index_put_(tuple(index.expand(shape) for index in place), step.view(shape), accumulate=True)
    return changed.clamp(0, 255)
