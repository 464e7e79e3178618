"""The image-scaling attack on 8-bit pictures: a picture that looks like the source and is scaled to the target."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz import metrics
from segviz.deferred import torch
from segviz.scaling.kernels import Scaler
from segviz.scaling.rounding import eight_bit, to_pixels
from segviz.scaling.solver import Banded, ScalingProblem, Verdict, solve
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = 2**23
MAX_SIDE = 4096


@dataclass(frozen=True)
class Scaled:
    """A finished attack; every figure is measured on the 8-bit picture `pixels` and on what the real library makes of it.

    `pixels` (H,W,3) and `scaled` (h,w,3) uint8, `scaled` being `scaler.resize(pixels, ...)`; `missed` (h,w) bool, the output pixels
    further than eps + 0.5 from `target`; `feasible`, whether there are none. `verdict` says how the solver ended: INFEASIBLE is a proof
    that no picture keeps the slack. An OPTIMAL solution may still miss it with Pillow's cubic and lanczos, which cut values off at 0 and
    255 between their two passes.
    `max_error` and `mean_error` of `scaled`, and `linf`, in grey levels; `psnr` in dB (None where nothing changed), `ssim`, and `l2` on
    the [0,1] scale, of `pixels` against `source`; `changed_pixels`, the share of pixels with any change.
    `seconds` of solving and rounding; `iterations` of the dual or parts of the closed form; `repairs`, the rounds of repair.
    """

    source: np.ndarray
    target: np.ndarray
    scaler: Scaler
    eps: float
    pixels: np.ndarray
    scaled: np.ndarray
    missed: np.ndarray
    verdict: Verdict
    closed_form: bool
    iterations: int
    repairs: int
    seconds: float
    max_error: int
    mean_error: float
    linf: int
    l2: float
    psnr: float | None
    ssim: float
    changed_pixels: float

    @property
    def feasible(self) -> bool:
        """Whether the real library's output is within eps + 0.5 grey levels of the target everywhere."""
        return not self.missed.any()

    def figures(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON values."""
        height, width = self.source.shape[:2]
        return {
            "library": self.scaler.library,
            "kernel": self.scaler.kernel,
            "antialias": self.scaler.antialias,
            "source_size": [width, height],
            "size": [self.target.shape[1], self.target.shape[0]],
            "eps": self.eps,
            "feasible": self.feasible,
            "verdict": self.verdict.value,
            "missed_pixels": int(self.missed.sum()),
            "max_error": self.max_error,
            "mean_error": self.mean_error,
            "psnr": self.psnr,
            "ssim": self.ssim,
            "changed_pixels": self.changed_pixels,
            "linf": self.linf,
            "l2": self.l2,
            "method": "closed form" if self.closed_form else "dual",
            "iterations": self.iterations,
            "repairs": self.repairs,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class ScalingLook:
    """One look at a running attack: `pixels` (H,W,3) uint8 so far; the largest `violation` of the slack, in grey levels before rounding.

    The last look has the `result`.
    """

    iteration: int
    pixels: np.ndarray
    violation: float
    result: Scaled | None = None


def attack(
    source: np.ndarray, target: np.ndarray, scaler: Scaler, eps: float, stopped: Callable[[], bool] = lambda: False
) -> Iterator[ScalingLook]:
    """The smallest change of `source` (H,W,3) uint8 that `scaler` turns into `target` (h,w,3) uint8 within `eps` grey levels.

    Every channel is solved by itself. Looks come while it runs; the last one has the result, also after `stopped`. Raises UserError at
    once for an eps below 0, for a target larger than the source, and for pictures that are too large.
    """
    return looks(problem_of(source, target, scaler, eps), source, target, scaler, stopped)


def looks(
    problem: ScalingProblem, source: np.ndarray, target: np.ndarray, scaler: Scaler, stopped: Callable[[], bool]
) -> Iterator[ScalingLook]:
    """Solve, round, measure."""
    start = time.perf_counter()
    spent = 0.0
    for progress in solve(problem, stopped):
        spent += time.perf_counter() - start
        if progress.verdict is None:
            yield ScalingLook(progress.iteration, to_pixels(progress.image), float(progress.violation.max()))
        start = time.perf_counter()
    assert progress.verdict is not None
    pixels, repairs = eight_bit(progress.image, problem, scaler, stopped)
    spent += time.perf_counter() - start
    result = measured(source, target, scaler, problem.eps, pixels, progress.verdict, problem.disjoint, progress.iteration, repairs, spent)
    yield ScalingLook(progress.iteration, pixels, float(progress.violation.max()), result)


def finish(run: Iterator[ScalingLook]) -> Scaled:
    """Run an attack to its end."""
    for look in run:
        result = look.result
    assert result is not None
    return result


def problem_of(source: np.ndarray, target: np.ndarray, scaler: Scaler, eps: float) -> ScalingProblem:
    """The problem behind `attack`; raises the same errors."""
    size, scaled = source.shape[:2], target.shape[:2]
    check_sizes(size, scaled)
    if not (math.isfinite(eps) and eps >= 0):
        raise UserError(f"eps is {eps:g}; it must be 0 or more grey levels.")
    left, right = operators(scaler, size, scaled)
    return ScalingProblem(planes(source), planes(target), left, right, eps)


def check_sizes(source: tuple[int, int], target: tuple[int, int]) -> None:
    """Raise UserError unless a source of this (height, width) can hide a target of that one."""
    shown, wanted = (f"{width}x{height}" for height, width in (source, target))
    if source[0] * source[1] > MAX_PIXELS or max(source) > MAX_SIDE:
        raise UserError(
            f"The source is {shown}; at most {MAX_PIXELS / 10**6:.1f} megapixels and {MAX_SIDE} px on a side are possible. "
            "Take a smaller picture."
        )
    if target[0] > source[0] or target[1] > source[1]:
        raise UserError(
            f"The target is {wanted}, the source {shown}. The attack hides a picture from scaling down: take a smaller target size or a "
            "larger source."
        )


@lru_cache(maxsize=8)
def operators(scaler: Scaler, source: tuple[int, int], target: tuple[int, int]) -> tuple[Banded, Banded]:
    """L and R transposed of `Scaler.matrices` for `ScalingProblem`."""
    left, right = scaler.matrices(source, target)
    return Banded(torch.tensor(left)), Banded(torch.tensor(right.T))


def planes(pixels: np.ndarray) -> Tensor:
    """Pixels (H,W,3) to grey levels (3,H,W) float64."""
    return torch.from_numpy(pixels.astype(np.float64).transpose(2, 0, 1).copy())


def measured(
    source: np.ndarray,
    target: np.ndarray,
    scaler: Scaler,
    eps: float,
    pixels: np.ndarray,
    verdict: Verdict,
    closed_form: bool,
    iterations: int,
    repairs: int,
    seconds: float,
) -> Scaled:
    """Scale the 8-bit picture with the real library, and compare."""
    scaled = scaler.resize(pixels, (target.shape[0], target.shape[1]))
    error = np.abs(scaled.astype(int) - target)
    x_adv, x = ((planes(picture).float() / 255)[None] for picture in (pixels, source))
    psnr = metrics.psnr(x_adv, x).item()
    return Scaled(
        source=source,
        target=target,
        scaler=scaler,
        eps=eps,
        pixels=pixels,
        scaled=scaled,
        missed=(error > eps + 0.5).any(2),
        verdict=verdict,
        closed_form=closed_form,
        iterations=iterations,
        repairs=repairs,
        seconds=seconds,
        max_error=int(error.max()),
        mean_error=float(error.mean()),
        linf=int(metrics.linf(x_adv, x).item()),
        l2=metrics.l2(x_adv, x).item(),
        psnr=psnr if math.isfinite(psnr) else None,
        ssim=metrics.ssim(x_adv, x).item(),
        changed_pixels=float((pixels != source).any(2).mean()),
    )
