"""Running a study: the missing cells are computed, those that are stored are not, and whoever iterates sees it grow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from segviz.studies.grid import Cell, Study
from segviz.studies.store import CellResult, Store


@dataclass(frozen=True)
class Progress:
    """Where a study stands: cells `done` of `total`, of which `reused` were stored before and `failed` ended with an error.

    `seconds` since the start; `eta` seconds to go, None before the first computed cell; `newest` is what was computed last.
    """

    done: int
    total: int
    reused: int
    failed: int
    seconds: float
    eta: float | None
    newest: tuple[tuple[Cell, CellResult], ...] = ()


@dataclass(frozen=True)
class Cost:
    """What is still to do: `cells` of `total`, their gradient evaluations, and about how many seconds they take here."""

    cells: int
    total: int
    gradients: int
    seconds: float


def run(study: Study, store: Store, engine: str = "local", stopped: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Compute the missing cells of a study and yield where it stands: at once, and after every batch of cells.

    `engine` is "local" or "ray". `stopped` is asked before every batch; what is done stays in the store.
    """
    raise NotImplementedError


def cost(study: Study, store: Store) -> Cost:
    """What a study would cost now; the time from cells of the same model that are stored, else from one gradient measured here."""
    raise NotImplementedError
