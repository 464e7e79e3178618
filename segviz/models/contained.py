"""Switches of the whole process that other people's code may turn, and how they are put back; what it prints is no result."""

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn


def set_default_device(device: torch.device) -> None:
    """Make new tensors on `device`; the CPU is what is meant by none."""
    torch.set_default_device(None if device.type == "cpu" else device)


SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device": (torch.get_default_device, set_default_device),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "the precision of matrix products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "the working folder": (os.getcwd, os.chdir),
}
"""How each is read and set."""

TURNED_FOR: WeakKeyDictionary[nn.Module, tuple[str, ...]] = WeakKeyDictionary()
"""The switches that were turned when a network was made."""


def turning(switches: Collection[str]) -> str:
    """What is to be said of switches of the whole process that a network turned."""
    return f"The network turns {' and '.join(sorted(switches))} for the whole process; that was put back."


def what_it_raised(error: BaseException) -> str:
    """What other people's code raised, in words."""
    said = f"{type(error).__name__}: {error}"
    return f"{said}, by which it tried to end the whole program" if isinstance(error, SystemExit) else said


@contextmanager
def contained() -> Iterator[list[str]]:
    """Put back the switches that are turned meanwhile; yields a list that their names are put into at the end.

    What is printed meanwhile goes to stderr, as stdout may be where a result is written.
    """
    before = {name: read() for name, (read, _) in SWITCHES.items()}
    turned: list[str] = []
    try:
        with redirect_stdout(sys.stderr):
            yield turned
    finally:
        for name, (read, write) in SWITCHES.items():
            if read() != before[name]:
                write(before[name])
                turned.append(name)
