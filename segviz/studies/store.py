"""The results of cells on disk, by content: never computed twice, never half-written, shared by any number of processes."""

import hashlib
import json
import os
import sys
import tempfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import IO

import numpy as np

from segviz.attacks.catalog import alpha_of, steps_of
from segviz.defences.catalog import defence_entry
from segviz.defences.load import load_model
from segviz.defences.rows import DEFENCES
from segviz.models.fetch import cache_folder, digest
from segviz.models.keys import split_key
from segviz.models.load import default_device
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies.grid import Cell
from segviz.types import UNSAID, UserError

NUMERICS = 1
"""Grows when the same cell would come out with other numbers; results of another number are not found again."""
DRAWN = 3
"""As `NUMERICS`, of models that draw random numbers."""
READ = 2
"""As `NUMERICS`, of a user's label maps, some of which were read as other ids before."""

SIZE_EDGES = (1, 64, 256, 1024, 4096, 16384)
"""Smallest number of pixels of a connected component in each bin of `CellResult.sizes`, at working size."""

REMEMBERED = 20_000


NO_DRAWS = np.zeros((0, 0, 0), np.int64)


@dataclass(frozen=True)
class CurvePoint:
    """The strongest iterate so far, after `index` iterations and `gradients` gradient evaluations.

    `miou` and `pixel_accuracy` of this image, before rounding to 8 bits; `member` and `stage` as in `Step`.
    """

    index: int
    gradients: int
    success: float
    pixel_accuracy: float
    miou: float
    stage: int = 0
    member: str = ""


@dataclass(frozen=True, eq=False)
class CellResult:
    """What came out of one run on one picture; confusion matrices (C,C) int64, rows labels, columns predictions.

    `clean` and `adversarial` count against the label map or, with `own_prediction`, against the model's clean prediction, as there is none;
    `agreement` counts the adversarial prediction (columns) against the clean one (rows). `members` (M,C,C) are those of the attacks of a
    suite, by `member_names`. A random defence is judged by several draws, which are counted together; `draws` (D,C,C) are the parts of
    `adversarial` that belong to each, empty where nothing is random. `hits`, `labelled`, `predicted` (P,C) are the diagonals, row sums and
    column sums behind each point of `curve`. `sizes` (C, len(SIZE_EDGES), 4) counts, by class and size of the connected components of the
    labels: components, pixels, pixels that are right on the clean picture, and on the adversarial one. `smallest` as in `Report`; `notices`
    are those of picture and models. With an `error`, which says why the cell could not be computed, all arrays are empty.
    """

    image: str
    classes: tuple[str, ...]
    clean: np.ndarray
    adversarial: np.ndarray
    agreement: np.ndarray
    members: np.ndarray
    hits: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray
    sizes: np.ndarray
    member_names: tuple[str, ...] = ()
    member_gradients: tuple[int, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    own_prediction: bool = False
    success: float = 0.0
    linf: float = 0.0
    gradient_evaluations: int = 0
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    device: str = ""
    smallest: tuple[float | None, ...] = ()
    notices: tuple[str, ...] = ()
    error: str = ""
    passes: int = 0
    draws: np.ndarray = field(default_factory=lambda: NO_DRAWS)


ARRAYS = ("clean", "adversarial", "agreement", "members", "hits", "labelled", "predicted", "sizes", "draws")


def failed(image: str, error: str) -> CellResult:
    """The result of a cell that cannot be computed."""
    none = np.zeros((0, 0), np.int64)
    return CellResult(image, (), none, none, none, none[None], none, none, none, none[None], error=error)


def default_folder() -> Path:
    """Where results are kept: the environment variable SEGVIZ_STUDIES, or the folder `studies` beside the downloaded weights."""
    chosen = os.environ.get("SEGVIZ_STUDIES")
    return Path(chosen).expanduser() if chosen else cache_folder() / "studies"


class Store:
    """A folder of results; any number of threads and processes may read and write it at once.

    A result is written to a file of its own beside its place and takes its name only when it is whole and on the disk.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder or default_folder()
        self._known: OrderedDict[str, CellResult] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> CellResult | None:
        """The result of a key; None where there is none. A damaged file counts as none, with a warning."""
        with self._lock:
            if key in self._known:
                return self._known[key]
        file = self.file(key)
        try:
            result = read_result(file)
        except FileNotFoundError:
            return None
        except Exception as error:
            # What a damaged archive raises depends on where the damage is.
            warnings.warn(f"The result {file} is damaged ({error}); it is computed again.", stacklevel=2)
            return None
        self._remember(key, result)
        return result

    def put(self, key: str, result: CellResult) -> None:
        """Keep a result; of two at once for one key either stays, whole. Raises UserError where the folder cannot be written."""
        file = self.file(key)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"{key[:8]}-", suffix=".part", dir=file.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    write_result(result, stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(name, file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unwritable(error) from None
        self._remember(key, result)

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Says whether the caller may compute a key: False while another thread or process holds the claim to it.

        The system lets go of the claim of a process that dies. Whoever gets a claim asks for the result once more, as it may have come
        meanwhile. Raises UserError where the folder cannot be written.
        """
        file = self.folder / "claims" / key
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = file.open("a")
        except OSError as error:
            raise self._unwritable(error) from None
        with stream:
            mine = locked_at_once(stream)
            yield mine
            if mine and sys.platform != "win32":
                file.unlink(missing_ok=True)

    def file(self, key: str) -> Path:
        """Where the result of a key is."""
        return self.folder / key[:2] / f"{key}.npz"

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"Cannot write results to {self.folder}: {error.strerror or error}. Set SEGVIZ_STUDIES to a folder with space.")

    def _remember(self, key: str, result: CellResult) -> None:
        with self._lock:
            self._known[key] = result
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def locked_at_once(stream: IO[str]) -> bool:
    """Lock an open file until it is closed, unless someone else has; says whether it is locked now."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_result(result: CellResult, stream: object) -> None:
    """A result as npz: its arrays, and all else as JSON."""
    facts = {field.name: getattr(result, field.name) for field in fields(result) if field.name not in ARRAYS}
    facts["curve"] = [asdict(point) for point in result.curve]
    np.savez_compressed(stream, facts=np.array(json.dumps(facts)), **{name: getattr(result, name) for name in ARRAYS})  # type: ignore[arg-type]


def read_result(file: Path) -> CellResult:
    """Read what `write_result` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
        arrays = {name: stored[name] for name in ARRAYS if name in stored}
    facts["curve"] = tuple(CurvePoint(**point) for point in facts["curve"])
    for name in ("classes", "member_names", "member_gradients", "smallest", "notices"):
        facts[name] = tuple(facts.get(name, ()))
    return CellResult(**facts, **arrays)


def key_of(cell: Cell) -> str:
    """What a result is found by: sha256 over settings, weights, picture, label map, working size and `NUMERICS`.

    The settings count with the steps and the step size that they lead to, and without the names of the picture and of the attack row. A
    field that is not in `ALWAYS` counts only where it differs from its default, so that results from before it was added are still found;
    so does what is stated of a user's network and of how label maps are read.
    Raises UserError where a model or a file is missing.
    """
    settings = replace(cell.settings, image="", steps=steps_of(cell.settings), alpha=alpha_of(cell.settings))
    entry = model_entry(settings.model)
    facts = {
        "numerics": NUMERICS,
        "settings": {name: value for name, value in asdict(settings).items() if name in ALWAYS or value != DEFAULTS[name]},
        "weights": weights_hash(settings.model),
        "source": [cell.row.source, weights_hash(cell.row.source)] if cell.row.source else None,
        "photo": file_hash(cell.image.photo),
        "labels": file_hash(cell.image.labels) if cell.image.labels else None,
        "stored": cell.image.stored.name if cell.image.stored else None,
        "label_set": [entry.label_set.name, cell.label_set],
        "working_size": entry.working_size,
    }
    stated = {name: getattr(entry, name) for name, usual in USUAL.items() if getattr(entry, name) != usual}
    if stated:
        facts["stated"] = stated
    if cell.image.stored and cell.image.stored.reading != UNSAID:
        facts["reading"] = asdict(cell.image.stored.reading)
    if any(map(draws_at_random, (settings.model, cell.row.source))):
        facts["draws"] = DRAWN
    if cell.image.labels and not cell.image.sample:
        facts["read"] = READ
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def draws_at_random(key: str) -> bool:
    """Whether a model of that key draws random numbers."""
    return any(name.partition("=")[0] in DEFENCES and defence_entry(name).random for name in split_key(key)[1])


ALWAYS = (
    *("model", "image", "goal", "target", "other", "region", "against", "attack", "norm"),
    *("eps", "steps", "alpha", "restarts", "seed", "variant", "layer", "transforms", "clip"),
)
"""The settings that every key was made of from the beginning. This list does not grow."""
DEFAULTS = asdict(Settings())
USUAL = {"channels": "rgb", "input_range": 1.0, "output": "", "outputs": ""}
"""What is stated of a network where nobody says anything."""


HASHES: dict[tuple[str, int, int], str] = {}


def file_hash(file: Path) -> str:
    """sha256 of a file, remembered while its size and time stay the same."""
    stat = file.stat()
    place = (str(file), stat.st_size, stat.st_mtime_ns)
    if place not in HASHES:
        HASHES[place] = digest(file)
    return HASHES[place]


def weights_hash(key: str) -> str:
    """What tells the weights of a model: the sha256 of its entry, that of its file, or one over the tensors that its builder brings."""
    entry = model_entry(split_key(key)[0])
    if entry.sha256:
        return entry.sha256
    if entry.file is not None and entry.file.is_file():
        return file_hash(entry.file)
    found = hashlib.sha256()
    for name, tensor in load_model(entry.key, default_device()).state_dict().items():
        found.update(name.encode())
        found.update(tensor.detach().contiguous().cpu().numpy().tobytes())
    return found.hexdigest()
