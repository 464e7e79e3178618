"""What a catalogue entry is: all that is known of a model before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segviz.data.label_sets import LabelSet
from segviz.deferred import torch
from segviz.models.fetch import cache_folder

if TYPE_CHECKING:
    from torch import nn

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
# Input statistics of EfficientNet-Lite: (grey level - 127) / 128.
LITE_MEAN: Triple = (127 / 255,) * 3
LITE_STD: Triple = (128 / 255,) * 3

CHANNELS = ("rgb", "bgr")
OUTPUTS = ("", "scores", "probabilities")


def network(named: str, *arguments: Any) -> nn.Module:
    """The network that a function or class makes, named as `module:name`, so that a table of models imports none of them."""
    module, _, name = named.partition(":")
    made: nn.Module = getattr(import_module(module), name)(*arguments)
    return made


@dataclass(frozen=True)
class ModelEntry:
    """A pretrained model.

    `build` makes the network with random weights: a Segmenter, or any module that maps normalised RGB images to class scores; then
    `mean` and `std` are its input statistics on the [0,1] scale, `input_size` (width, height) the size that it squashes pictures to (None:
    it takes them as they are, brought to a multiple of `multiple` pixels) and `layers` the modules that `features` reports.
    `channels` is the order that it takes them in, "rgb" or "bgr" (statistics are always those of RGB); normalised values are multiplied by
    `input_range`, 255 for a network that takes grey levels. `output` is the name or number of the scores where it returns several things.
    `outputs` says what they are: "scores", or "probabilities", whose logarithm is taken; empty where nobody has said.
    The weights are the file `weights`, or are downloaded from `url` (`size` bytes, to within a few percent) on first use; `sha256` in full
    or its first digits. Without either, `build` brings the weights along. `own` marks
    what the user brought, `network_of` the entry whose network uploaded weights are for.
    `short` is what charts call it where the `title` is too long.
    `working_size`: a photo's longer side is brought to at most this many pixels before anything else happens. `published` is what its
    authors report; `val_miou` is ours, on `val_data`, None where nobody measured it.
    """

    key: str
    title: str
    build: Callable[[], nn.Module]
    label_set: LabelSet
    working_size: int
    data: str
    licence: str
    weights: Path | None = None
    url: str | None = None
    sha256: str = ""
    size: int | None = None
    parameters: int | None = None
    val_miou: float | None = None
    val_data: str = "the validation set"
    published: str = ""
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    input_size: tuple[int, int] | None = None
    multiple: int = 1
    layers: tuple[str, ...] = ()
    channels: str = "rgb"
    input_range: float = 1.0
    output: str = ""
    outputs: str = ""
    own: bool = False
    network_of: str = ""
    short: str = ""

    @property
    def file(self) -> Path | None:
        """Where the weights are, or will be once they are downloaded."""
        if self.url is not None:
            return cache_folder() / self.url.rpartition("/")[2]
        return self.weights

    @property
    def state(self) -> str:
        """ "bundled", "cached", "to be downloaded", "missing", or "own" for what the user brings."""
        file = self.file
        if self.own or file is None:
            return "own"
        if self.url is not None:
            return "cached" if file.is_file() else "to be downloaded"
        return "bundled" if file.is_file() else "missing"

    def count_parameters(self) -> int:
        """Number of the network's parameters as it was trained, counted without memory where the catalogue does not say it."""
        if self.parameters is not None:
            return self.parameters
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self.build().parameters())

    @property
    def bytes(self) -> int | None:
        """Size of the weights file, as far as it is known."""
        file = self.file
        return file.stat().st_size if file is not None and file.is_file() else self.size
