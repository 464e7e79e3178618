"""From a model key to what it names: a network of the catalogue with the wrappers and defences around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segviz.defences.catalog import wrap
from segviz.deferred import torch
from segviz.models.fetch import Progress
from segviz.models.keys import split_key
from segviz.models.load import CACHE
from segviz.models.zoo import model_entry

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter


def load_model(key: str, device: torch.device, progress: Progress = lambda done, total: None) -> Segmenter:
    """The model of a catalogue entry: weights there and verified, in eval mode and frozen. The same object for everyone who asks.

    A key may end in wrappers and defences, applied from left to right: `voc7-lraspp+multiscale+jpeg=50`; they share the network inside.
    Weights that are not on this machine are downloaded; `progress` is told how far that is. Raises UserError for an unknown key or
    wrapper and for weights that are missing, damaged or cannot be downloaded.
    """
    base, names = split_key(key)
    model = CACHE.get(model_entry(base), device, progress)
    for name in names:
        model = wrap(model, name)
    return model
