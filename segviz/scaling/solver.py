"""The smallest change of a picture that makes its scaled version a chosen one: exact where kernels do not overlap, by the dual elsewhere.

With coefficient matrices L (h,H) and R (W,w), source S, target T and slack eps in grey levels (Xiao et al., USENIX Security 2019):

    min ||d||^2  subject to  |L (S+d) R - T| <= eps,  0 <= S+d <= 255.

Whatever the multipliers Y (h,w) of the slack are, the best picture is X(Y) = clip(S + L'YR', 0, 255), so that only Y is looked for.
Xiao et al. solve two stages of one-dimensional problems, a column or row each; here both directions are solved together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from segviz.deferred import torch

if TYPE_CHECKING:
    from torch import Tensor


BLOCK = 32
"""Output rows or columns that are multiplied together; kernels are short, so most of L and R is 0."""

VALUES_AT_ONCE = 2**21
"""Source values of a part of the closed form, which bounds its memory and how long Stop takes."""

MAX_ITERATIONS = 1000
LOOK_EVERY = 10
VIOLATION_TOLERANCE = 0.002
"""Grey levels by which the slack may be missed before rounding to 8 bits."""
GAP_TOLERANCE = 1e-4
"""Relative difference of ||d||^2 and its lower bound at which the dual is taken as solved."""


class Verdict(Enum):
    """How a solution ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNFINISHED = "unfinished"
    STOPPED = "stopped"


class Banded:
    """A matrix (n,N) whose rows are short bands, from the left; `weights` float64."""

    def __init__(self, weights: Tensor):
        self.weights = weights
        self.blocks = []
        for first in range(0, len(weights), BLOCK):
            part = weights[first : first + BLOCK]
            used = part.any(0).nonzero()
            band = slice(int(used[0]), int(used[-1]) + 1)
            self.blocks.append((slice(first, first + len(part)), band, part[:, band].contiguous()))

    def times(self, x: Tensor) -> Tensor:
        """(C,N,m) to (C,n,m)."""
        return torch.cat([part @ x[:, band] for _, band, part in self.blocks], 1)

    def transposed_times(self, y: Tensor) -> Tensor:
        """(C,n,m) to (C,N,m)."""
        x = y.new_zeros(len(y), self.weights.shape[1], y.shape[2])
        for rows, band, part in self.blocks:
            x[:, band] += part.T @ y[:, rows]
        return x

    @cached_property
    def taps(self) -> tuple[Tensor, Tensor]:
        """Where each row is not 0: indices (n,k) and weights (n,k), filled up with weights of 0."""
        most = int((self.weights != 0).sum(1).max())
        indices = (self.weights != 0).to(torch.int8).topk(most, dim=1).indices
        return indices, self.weights.gather(1, indices)

    @cached_property
    def disjoint(self) -> bool:
        """Whether no source position counts for two outputs."""
        return bool(((self.weights != 0).sum(0) <= 1).all())

    @cached_property
    def squared_norm(self) -> float:
        """Square of the spectral norm."""
        return float(torch.linalg.eigvalsh(self.weights @ self.weights.T)[-1])


@dataclass(frozen=True)
class ScalingProblem:
    """`source` S (C,H,W) and `target` T (C,h,w), float64 grey levels 0..255; `left` is L and `right` R transposed; `eps` in grey levels."""

    source: Tensor
    target: Tensor
    left: Banded
    right: Banded
    eps: float

    @property
    def disjoint(self) -> bool:
        """Whether every output pixel has source pixels of its own: then the problem falls into one of a single unknown per output."""
        return self.left.disjoint and self.right.disjoint

    def scale(self, x: Tensor) -> Tensor:
        """L X R, (C,H,W) to (C,h,w)."""
        return self.right.times(self.left.times(x).mT).mT

    def spread(self, y: Tensor) -> Tensor:
        """L'Y R', (C,h,w) to (C,H,W)."""
        return self.left.transposed_times(self.right.transposed_times(y.mT).mT)

    def image(self, y: Tensor) -> Tensor:
        """X(Y), the picture that belongs to multipliers (C,h,w)."""
        return (self.source + self.spread(y)).clamp(0, 255)

    def violation(self, x: Tensor) -> Tensor:
        """Grey levels by which each value of the scaled picture misses the slack, (C,h,w)."""
        return ((self.scale(x) - self.target).abs() - self.eps).clamp(min=0)


@dataclass(frozen=True)
class SolverProgress:
    """One look at a solution that is under way.

    `image` (C,H,W) float64 in 0..255 before rounding; `violation` (C,h,w), by how many grey levels its scaled version misses the slack;
    `iteration` of the dual, or the part of the closed form; `verdict` on the last look only. With INFEASIBLE there is a proof that no
    picture keeps the slack everywhere, and `image` comes as close as possible in the sum of squares; UNFINISHED ran out of iterations.
    """

    iteration: int
    image: Tensor
    violation: Tensor
    verdict: Verdict | None = None


def solve(problem: ScalingProblem, stopped: Callable[[], bool] = lambda: False) -> Iterator[SolverProgress]:
    """Solve exactly where every output pixel has source pixels of its own, else by the dual; the last look has a verdict."""
    return closed_form(problem, stopped) if problem.disjoint else dual_ascent(problem, stopped)


def closed_form(problem: ScalingProblem, stopped: Callable[[], bool]) -> Iterator[SolverProgress]:
    """A part of the output rows at a time: one multiplier per output value, from sorted breakpoints."""
    rows, row_weights = problem.left.taps
    columns, column_weights = problem.right.taps
    y = torch.zeros_like(problem.target)
    together = max(1, VALUES_AT_ONCE // (len(y) * row_weights.shape[1] * column_weights.numel()))
    parts = range(0, len(rows), together)
    for number, first in enumerate(parts, 1):
        part = slice(first, first + together)
        patches = problem.source[:, rows[part, None, :, None], columns[None, :, None, :]].flatten(3)
        weights = (row_weights[part, None, :, None] * column_weights[None, :, None, :]).flatten(2)
        y[:, part] = multipliers(patches, weights.expand_as(patches), problem.target[:, part], problem.eps)
        verdict = Verdict.OPTIMAL if number == len(parts) else Verdict.STOPPED if stopped() else None
        image = problem.image(y)
        yield SolverProgress(number, image, problem.violation(image), verdict)
        if verdict:
            return


def multipliers(s: Tensor, weights: Tensor, target: Tensor, eps: float) -> Tensor:
    """The y (...) nearest to 0 with <w, clip(s + y w, 0, 255)> in target -+ eps, for patches s and weights w (...,K), targets (...).

    The inner product grows with y along straight pieces between the points where a value of the patch reaches or leaves 0 or 255.
    """
    slope = weights.square()
    safe = torch.where(weights == 0, 1, weights)
    ends = torch.stack([-s / safe, (255 - s) / safe]) * (weights != 0)
    points, order = torch.cat([ends.amin(0), ends.amax(0)], -1).sort(-1)
    slopes = torch.cat([slope, -slope], -1).gather(-1, order).cumsum(-1)
    lowest = 255 * weights.clamp(max=0).sum(-1, keepdim=True)
    values = torch.cat([lowest, lowest + (slopes[..., :-1] * points.diff(dim=-1)).cumsum(-1)], -1)
    now = (weights * s).sum(-1)
    wanted = torch.minimum(torch.maximum(now, target - eps), target + eps)
    piece = torch.searchsorted(values, wanted[..., None]).sub_(1).clamp_(0, values.shape[-1] - 2)
    start, rise = values.gather(-1, piece)[..., 0], slopes.gather(-1, piece)[..., 0]
    y = points.gather(-1, piece)[..., 0] + (wanted - start) / rise.clamp(min=torch.finfo(rise.dtype).tiny)
    y = torch.minimum(torch.maximum(y, points[..., 0]), points[..., -1])
    return torch.where(wanted == now, 0, y)


def dual_ascent(problem: ScalingProblem, stopped: Callable[[], bool]) -> Iterator[SolverProgress]:
    """Accelerated proximal gradient ascent on the dual, restarted where the momentum turns against it.

    The dual is <Y,T> - eps |Y|_1 + min over X in the box of 1/2 ||X-S||^2 - <L'YR', X>: a smooth part, with gradient T - L X(Y) R, and an
    L1 norm, whose proximal step is soft thresholding (Beck & Teboulle, 2009; restarts of O'Donoghue & Candes, 2015). Ends when the slack
    is kept and the dual value, a lower bound, meets ||d||^2 / 2; or when a multiplier proves that there is no solution (Farkas).
    """
    step = 1 / (problem.left.squared_norm * problem.right.squared_norm)
    y = torch.zeros_like(problem.target)
    ahead, seen = y, y
    pace = y.new_ones(len(y), 1, 1)
    infeasible, before = False, float("inf")
    verdict: Verdict | None
    for iteration in range(MAX_ITERATIONS + 1):
        if iteration % LOOK_EVERY == 0 or stopped():
            spread = problem.spread(y)
            image = (problem.source + spread).clamp(0, 255)
            violation = problem.violation(image)
            distance = 0.5 * (image - problem.source).square().sum((1, 2))
            gap = distance - dual_value(problem, y, spread, image, distance)
            kept = float(violation.max()) <= VIOLATION_TOLERANCE and bool((gap.abs() <= GAP_TOLERANCE * distance.clamp(min=1)).all())
            # As Y grows without bound, its growth turns into the proof.
            infeasible = infeasible or no_solution(problem, y) or no_solution(problem, y - seen)
            miss = float(violation.norm())
            settled, before, seen = miss > 0.995 * before, miss, y
            if kept:
                verdict = Verdict.OPTIMAL
            elif infeasible and settled:
                verdict = Verdict.INFEASIBLE
            elif iteration == MAX_ITERATIONS:
                verdict = Verdict.INFEASIBLE if infeasible else Verdict.UNFINISHED
            else:
                verdict = Verdict.STOPPED if stopped() else None
            yield SolverProgress(iteration, image, violation, verdict)
            if verdict:
                return
        risen = ahead + step * (problem.target - problem.scale(problem.image(ahead)))
        new = risen.sign() * (risen.abs() - step * problem.eps).clamp(min=0)
        against = ((ahead - new) * (new - y)).sum((1, 2), keepdim=True) > 0
        quicker = torch.where(against, 1, (1 + (1 + 4 * pace.square()).sqrt()) / 2)
        ahead = new + torch.where(against, 0, (pace - 1) / quicker) * (new - y)
        y, pace = new, quicker


def dual_value(problem: ScalingProblem, y: Tensor, spread: Tensor, image: Tensor, distance: Tensor) -> Tensor:
    """The dual at multipliers Y per channel (C,): no picture that keeps the slack has a smaller ||d||^2 / 2."""
    return (y * problem.target).sum((1, 2)) - problem.eps * y.abs().sum((1, 2)) + distance - (spread * image).sum((1, 2))


def no_solution(problem: ScalingProblem, y: Tensor) -> bool:
    """Whether `y` proves that no picture keeps the slack: <Y,Z> over the slack stays above <L'YR',X> over all pictures X in 0..255."""
    least = (y * problem.target).sum((1, 2)) - problem.eps * y.abs().sum((1, 2))
    most = 255 * problem.spread(y).clamp(min=0).sum((1, 2))
    return bool((least > most * (1 + 1e-9)).any())
