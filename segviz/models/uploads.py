"""Weights that users bring through the browser, for networks of the catalogue."""

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

from segviz.models.entry import ModelEntry
from segviz.models.fetch import cache_folder
from segviz.types import UserError

UPLOADED: dict[str, ModelEntry] = {}
"""Models whose weights came through the browser, until the server ends."""


def upload(base: ModelEntry, name: str, data: bytes, channels: str = "rgb", input_range: float = 1.0) -> ModelEntry:
    """Make weights that came through the browser a model with the network of `base`, and keep it in the catalogue.

    The same weights for the same network are the same entry. `channels` and `input_range` as in `ModelEntry`: how the weights were trained,
    where that is not as the network's own were. Raises UserError for anything but safetensors that fit and work.
    """
    from segviz.models.adapt import as_segmenter
    from segviz.models.checkpoint import load_weights, read_upload
    from segviz.models.trial import check_network

    sha256 = hashlib.sha256(data).hexdigest()
    fed = "" if (channels, input_range) == ("rgb", 1.0) else f" {channels} {input_range:g}"
    key = f"upload-{hashlib.sha256(f'{base.key} {sha256}{fed}'.encode()).hexdigest()[:8]}"
    base = replace(base, channels=channels, input_range=input_range)
    file = cache_folder() / "uploads" / f"{sha256[:16]}.safetensors"
    if key in UPLOADED and file.is_file():
        return UPLOADED[key]
    network = base.build()
    load_weights(network, read_upload(data, name), name, base.key)
    check_network(as_segmenter(network, base).eval(), name)
    part = file.with_name(f"{file.name}.{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"Cannot write {file}: {error.strerror}.") from None
    entry = replace(
        base,
        key=key,
        title=f"{Path(name).stem} in {base.key}" + (f",{fed}" if fed else ""),
        weights=file,
        url=None,
        sha256=sha256,
        val_miou=None,
        published="",
        data=f"uploaded weights in the network of {base.key}",
        licence="the user's own",
        own=True,
        network_of=base.key,
    )
    return UPLOADED.setdefault(key, entry)
