"""Loading: from a catalogue entry to a frozen network on a device; and which networks are kept in memory."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from segviz.deferred import torch
from segviz.models.entry import ModelEntry
from segviz.models.fetch import Progress, digest, fetch
from segviz.types import UserError

if TYPE_CHECKING:
    from segviz.models.segmenter import Segmenter

DEFAULT_BUDGET_MB = 1024


def default_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """The name a person knows the device by."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def computed_on(device: torch.device) -> str:
    """The name of the device; of a CPU with the threads that share out its sums, on which the last digits depend."""
    threads = torch.get_num_threads()
    return device_name(device) + (f", {threads} thread{'s' if threads != 1 else ''}" if device.type == "cpu" else "")


@dataclass(frozen=True)
class Loaded:
    """A model in memory; `bytes` are those of its weights and statistics."""

    entry: ModelEntry
    device: torch.device
    model: Segmenter
    bytes: int


class ModelCache:
    """The models in memory, least recently used first; safe to use from several threads.

    Once they take more than `budget` bytes together, the least recently used ones are let go of, never the newest. A run under way keeps
    its model until it ends.
    """

    def __init__(self, budget: int):
        self.budget = budget
        self._lock = threading.Lock()
        self._loading: dict[tuple[str, str], threading.Lock] = {}
        self._loaded: OrderedDict[tuple[str, str], Loaded] = OrderedDict()

    def get(self, entry: ModelEntry, device: torch.device, progress: Progress) -> Segmenter:
        """The model of an entry: the same object for everyone who asks while it is in memory."""
        place = (entry.key, str(device))
        with self._lock:
            loading = self._loading.setdefault(place, threading.Lock())
        with loading:
            with self._lock:
                found = self._loaded.get(place)
                if found is not None and found.entry is entry:
                    self._loaded.move_to_end(place)
                    return found.model
            model = load_entry(entry, device, progress)
            with self._lock:
                self._loaded[place] = Loaded(entry, device, model, bytes_of(model))
                self._loaded.move_to_end(place)
                self._free()
            return model

    def _free(self) -> None:
        """Let go of the least recently used models beyond the budget."""
        while len(self._loaded) > 1 and sum(loaded.bytes for loaded in self._loaded.values()) > self.budget:
            self._loaded.popitem(last=False)

    def loaded(self) -> list[Loaded]:
        """What is in memory, least recently used first."""
        with self._lock:
            return list(self._loaded.values())


def bytes_of(model: torch.nn.Module) -> int:
    """Bytes of a model's weights and statistics."""
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def parameter_count(entry: ModelEntry, model: torch.nn.Module) -> int:
    """Number of parameters of a loaded network as it was trained, without its wrappers: one of the catalogue has fewer once folded."""
    return sum(parameter.numel() for parameter in model.parameters()) if entry.state == "own" else entry.count_parameters()


def budget_from_environment() -> int:
    """Bytes that models in memory may take: SEGVIZ_MODEL_MB megabytes, 1024 by default or where that is no number."""
    text = os.environ.get("SEGVIZ_MODEL_MB", "")
    return (int(text) if text.isdecimal() else DEFAULT_BUDGET_MB) * 10**6


CACHE = ModelCache(budget_from_environment())


def loaded() -> list[Loaded]:
    """The models in memory, least recently used first."""
    return CACHE.loaded()


def load_entry(entry: ModelEntry, device: torch.device, progress: Progress = lambda done, total: None) -> Segmenter:
    """The network of an entry, which need not be in the catalogue: weights there and verified, in eval mode and frozen; not cached.

    Raises UserError for weights that are missing, damaged or cannot be downloaded.
    """
    from segviz.models.adapt import as_segmenter
    from segviz.models.checkpoint import load_weights, read_checkpoint
    from segviz.models.fold import fold
    from segviz.models.pointwise import make_repeatable
    from segviz.models.trial import check_network, of_state

    file = entry.file
    if entry.url is not None and file is not None:
        fetch(entry.url, file, entry.sha256, progress)
    elif file is not None:
        if not file.is_file():
            raise UserError(f"The weights of {entry.key} are missing: {file.name} belongs in {file.parent}.")
        if entry.sha256 and not digest(file).startswith(entry.sha256):
            raise UserError(f"The weights of {entry.key} are damaged (sha256 differs). Get {file.name} again.")
    network = entry.build()
    own = entry.state == "own"
    notices = tuple(of_state(network, entry.key)) if own else ()
    if file is not None:
        load_weights(network, read_checkpoint(file), entry.key)
    model = as_segmenter(network, entry)
    model.eval().requires_grad_(False)
    if own:
        model.float()
    else:
        fold(model)
    make_repeatable(model)
    model = model.to(device, torch.float32).to(memory_format=torch.channels_last)
    if own:
        model.notices = notices + check_network(model, entry.key)
    return model


def __getattr__(name: str) -> Any:
    """`load_model` for scripts that were downloaded when it stood here, and for users' factories that import it from here.

    It moved up to the defences, which a key may name, and the models import nothing of them; so it is fetched only for who asks.
    """
    if name == "load_model":
        return import_module("segviz.defences.load").load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
