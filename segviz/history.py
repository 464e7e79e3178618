"""The runs of one visitor: the last ones and those that are pinned, in a folder that is found by a secret of the visitor's browser."""

import re
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segviz.engine.kept import from_bytes, limit, size_when_read, to_bytes
from segviz.models.fetch import cache_folder
from segviz.models.zoo import model_entry
from segviz.records import Frame, Trajectory
from segviz.types import UserError

LAST = 8
"""Runs that are kept without being pinned."""
MAX_PINNED = 24
FRAMES = 8
"""Iterations that are kept of a run, beside its result."""
MAX_READ = 400 * 2**20
"""Bytes that a file may take once it is read."""
TOKEN = re.compile(r"[\w-]{20,64}")


@dataclass(frozen=True)
class KeptRun:
    """A finished run with its `name`; `key` tells it from others and rises with time."""

    key: str
    name: str
    pinned: bool
    trajectory: Trajectory


def new_token() -> str:
    """A secret for a browser that has none."""
    return secrets.token_urlsafe(24)


def is_token(text: str) -> bool:
    """Whether a text can be such a secret."""
    return TOKEN.fullmatch(text) is not None


class History:
    """The runs under one token; whoever has the token sees and changes them."""

    def __init__(self, token: str):
        if not is_token(token):
            raise ValueError("this is no token")
        self.folder = cache_folder() / "history" / token
        self._read: dict[str, tuple[int, KeptRun | None]] = {}

    def runs(self) -> list[KeptRun]:
        """All runs, the newest first; those of models that are not here any more are left out, and stay in their files."""
        files = sorted(self.folder.glob("*.run"), reverse=True)
        self._read = {file.stem: self._reading(file) for file in files}
        return [run for _, run in self._read.values() if run is not None]

    def remember(self, trajectory: Trajectory, name: str) -> None:
        """Keep a finished run, once; the oldest beyond LAST that are not pinned go. Where no results are kept, none is."""
        if not limit() or any(is_same(run.trajectory, trajectory) for run in self.runs()):
            return
        frames = trajectory.frames
        places = np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round().astype(int)
        run = KeptRun(f"{time.time_ns():020d}", name, False, replace(trajectory, frames=tuple(frames[place] for place in places)))
        self._write(run)
        self.delete(other.key for other in [one for one in self.runs() if not one.pinned][LAST:])
        make_room_for(self.folder)

    def pin(self, key: str, pinned: bool) -> None:
        """Pin a run or let it go; raises UserError for one pin too many."""
        runs = self.runs()
        if pinned and sum(run.pinned for run in runs) >= MAX_PINNED:
            raise UserError(f"{MAX_PINNED} runs are pinned, which is all there is room for. Unpin or delete one.")
        self._change(key, pinned=pinned)

    def rename(self, key: str, name: str) -> None:
        """Give a run another name; an empty one changes nothing."""
        if name.strip():
            self._change(key, name=name.strip()[:80])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete runs."""
        for key in keys:
            (self.folder / f"{key}.run").unlink(missing_ok=True)

    def exported(self, keys: Iterable[str]) -> bytes:
        """Runs as one file."""
        wanted = set(keys)
        return to_bytes(tuple(run for run in self.runs() if run.key in wanted))

    def load(self, data: bytes) -> int:
        """Take the runs of such a file, pinned; returns how many. Raises UserError for another file, and for runs of unknown models."""
        try:
            if size_when_read(data) > MAX_READ:
                raise ValueError("too large")
            runs = from_bytes(data)
            if not isinstance(runs, tuple) or not all(map(is_whole, runs)):
                raise ValueError("other records")
        except Exception as error:
            raise UserError("This is no file of runs. Choose one that was exported here.") from error
        for run in runs:
            model_entry(run.trajectory.settings.model)
        if sum(run.pinned for run in self.runs()) + len(runs) > MAX_PINNED:
            raise UserError(f"There is room for {MAX_PINNED} pinned runs. Unpin or delete some, then import the file again.")
        for run in runs:
            self._write(replace(run, key=f"{time.time_ns():020d}", pinned=True))
        return len(runs)

    def _change(self, key: str, **changes: Any) -> None:
        run = next((run for run in self.runs() if run.key == key), None)
        if run is not None:
            self._write(replace(run, **changes))

    def _write(self, run: KeptRun) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{run.key}.part"
        part.write_bytes(to_bytes(run))
        part.replace(self.folder / f"{run.key}.run")

    def _reading(self, file: Path) -> tuple[int, KeptRun | None]:
        changed = file.stat().st_mtime_ns
        before = self._read.get(file.stem)
        if before is not None and before[0] == changed:
            return before
        try:
            run = from_bytes(file.read_bytes())
            if not is_whole(run):
                return changed, None
            model_entry(run.trajectory.settings.model)
        except Exception:
            return changed, None
        return changed, run


def is_same(one: Trajectory, other: Trajectory) -> bool:
    """Whether two runs had the same settings and came to the same picture."""
    assert one.final is not None
    assert other.final is not None
    return one.settings == other.settings and np.array_equal(one.final.pixels, other.final.pixels)


def is_whole(run: object) -> bool:
    """Whether a record is a finished run that can be shown."""
    if not isinstance(run, KeptRun) or not isinstance(run.name, str) or not isinstance(run.trajectory, Trajectory):
        return False
    found = run.trajectory
    frames = [*found.frames, found.final]
    size = found.picture.pixels.shape
    return (
        len(size) == 3
        and size[2] == 3
        and found.report is not None
        and bool(found.curve)
        and len(frames) > 1
        and found.reference.shape == size[:2]
        and all(isinstance(frame, Frame) and frame.pixels.shape == size and frame.prediction.shape == size[:2] for frame in frames)
    )


def make_room_for(folder: Path) -> None:
    """Remove the folders that were not changed for longest, but not this one, until all take no more than kept results may."""
    folders = sorted((one for one in folder.parent.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime_ns)
    sizes = {one: sum(file.stat().st_size for file in one.iterdir()) for one in folders}
    total = sum(sizes.values())
    for one in folders:
        if total <= limit() or one == folder:
            break
        shutil.rmtree(one, ignore_errors=True)
        total -= sizes[one]
