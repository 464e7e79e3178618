"""One photo segmented by several models, with the time that each takes on this device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.data.images import read_photo
from segviz.data.samples import Sample
from segviz.defences.load import load_model
from segviz.deferred import torch
from segviz.lab import to_tensor
from segviz.models.load import parameter_count
from segviz.models.zoo import model_entry
from segviz.types import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from segviz.models.segmenter import Segmenter

REPEATS = 3


@dataclass(frozen=True)
class PhotoView:
    """A photo as a model sees it: `pixels` (H,W,3) uint8 at its working size, `prediction` (H,W) uint8 class indices.

    `forward` and `gradient` are medians in seconds, the latter of a forward and a backward pass to the picture.
    """

    key: str
    pixels: np.ndarray
    prediction: np.ndarray
    forward: float
    gradient: float
    parameters: int


@dataclass(frozen=True)
class NoView:
    """A model that could not be used, and why."""

    key: str
    error: str


def view_photo(
    keys: list[str], sample: Sample, device: torch.device, stopped: Callable[[], bool]
) -> Iterator[tuple[PhotoView | NoView, ...]]:
    """Yield the views that there are, first none, then one more after every model; ends early once `stopped` says yes."""
    views: tuple[PhotoView | NoView, ...] = ()
    yield views
    for key in keys:
        if stopped():
            return
        try:
            views = (*views, view(key, sample, device))
        except UserError as error:
            views = (*views, NoView(key, str(error)))
        yield views


def view(key: str, sample: Sample, device: torch.device) -> PhotoView:
    """One model's view; raises UserError for a model that cannot be used."""
    pixels = read_photo(sample.photo, model_entry(key).working_size).pixels
    model = load_model(key, device)
    x = to_tensor(pixels, device)
    with torch.no_grad():
        prediction = model(x).argmax(1)[0].byte().cpu().numpy()
    parameters = parameter_count(model_entry(key), model)
    forward, gradient = seconds_per_pass(model, x)
    return PhotoView(key, pixels, prediction, forward, gradient, parameters)


def seconds_per_pass(model: Segmenter, x: Tensor) -> tuple[float, float]:
    """Median seconds of a forward pass, and of a forward and backward pass to the picture (N,3,H,W)."""

    def forward() -> None:
        with torch.no_grad():
            model(x)

    def gradient() -> None:
        leaf = x.clone().requires_grad_()
        model(leaf).logsumexp(1).mean().backward()

    return timed(forward, x.device), timed(gradient, x.device)


def timed(work: Callable[[], None], device: torch.device) -> float:
    """Median seconds of `work` over REPEATS times, after one that does not count."""
    seconds = []
    for _ in range(REPEATS + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])
