"""Runs for the tests of the engine, well-behaved and not. They are imported by the engine process."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from segviz.engine.view import LivePicture, LiveView, Series
from segviz.types import UserError


def counting(steps: int, pause: float = 0.002, *, stopped: Callable[[], bool]) -> Iterator[object]:
    """A run of `steps` numbers that ends early with "stopped"."""
    for number in range(steps):
        if stopped():
            yield "stopped"
            return
        time.sleep(pause)
        yield number


def counted(number: object, *asked: object) -> LiveView:
    """The view of `counting`: a curve, a picture and a map."""
    count = number if isinstance(number, int) else 0
    photo = np.full((12, 16, 3), 100, np.uint8)
    changed = photo + np.uint8(count % 5)
    curve = Series("count", "#000000", tuple(range(count + 1)), tuple(float(n) for n in range(count + 1)))
    pictures = {"photo": LivePicture(photo), "changed": LivePicture(changed, "photo"), "map": LivePicture(photo[..., 0] % 7)}
    return LiveView(count, 10, f"Number {count}", (("count", str(count), ""),), (curve,), pictures)


def failing(kind: str, *, stopped: Callable[[], bool]) -> Iterator[int]:
    """One snapshot, then an error."""
    yield 1
    raise {"user": UserError("take another class"), "memory": torch.OutOfMemoryError("CUDA"), "fault": RuntimeError("secret detail")}[kind]


def rogue(kind: str, *, stopped: Callable[[], bool]) -> Iterator[int]:
    """One snapshot, then what no model may do to others."""
    yield 1
    if kind == "exit":
        sys.exit(3)
    elif kind == "gradients":
        torch.set_grad_enabled(False)
    elif kind == "number type":
        torch.set_default_dtype(torch.float64)
    elif kind == "memory":
        hoard = []
        while True:
            hoard.append(torch.ones(1 << 28))
    elif kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "endless":
        while True:
            pass
    yield 2


def sound(*, stopped: Callable[[], bool]) -> Iterator[tuple[bool, str, int]]:
    """Whether gradients are computed, the number type, and the process."""
    x = torch.ones(2, requires_grad=True)
    yield (x * 2).requires_grad, str(x.dtype), os.getpid()
