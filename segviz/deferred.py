"""Libraries and modules that are imported when something of them is first asked for.

The server of the pages reads tables and records, and leaves what they compute to the engine process: with `from segviz.deferred import
torch` in place of `import torch` it need not load torch for that, which takes seconds and hundreds of megabytes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["F", "cv2", "deferred", "torch"]


class Deferred:
    """Stands for a module."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        # Whoever looks through a module's names, as doctest does, imports nothing.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(import_module(self._name), attribute)


def deferred(name: str) -> Any:
    """The module of that name, imported once it is used."""
    return Deferred(name)


if TYPE_CHECKING:
    import cv2
    import torch
    import torch.nn.functional as F
else:
    cv2, torch, F = map(Deferred, ("cv2", "torch", "torch.nn.functional"))
