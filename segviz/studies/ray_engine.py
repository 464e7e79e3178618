"""A study spread over the workers of Ray, on several GPUs or machines; Ray is needed only here."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from segviz.deferred import torch
from segviz.models.load import default_device
from segviz.studies.cell import LARGEST, compute
from segviz.studies.grid import Cell
from segviz.studies.ledger import Ledger, Progress
from segviz.studies.store import CellResult, Store
from segviz.types import UserError

RETRIES = 3
"""How often cells go to another worker after theirs died."""

MEMORY = 2**30
"""Bytes that a worker needs to be free on its machine: PyTorch, a model and its gradients."""

WAIT_SECONDS = 0.5


def work_on_ray(ledger: Ledger, store: Store, stopped: Callable[[], bool]) -> Iterator[Progress]:
    """Have Ray's workers compute what the ledger has to do, one GPU or CPU each, and store the results in this process.

    Joins the Ray cluster that the environment variable RAY_ADDRESS names, else starts one on this machine. Models and pictures are read on
    the workers, from the same paths. Cells whose worker dies go to another one. Raises UserError where Ray is not installed, a model or
    picture is missing on a worker, or workers keep dying.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("The engine ray needs Ray. Install it with: pip install ray; or take the engine local.") from None
    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, configure_logging=False)
    resources = ray.cluster_resources()
    on_gpu = resources.get("GPU", 0) >= 1
    workers = int(resources["GPU"] if on_gpu else resources.get("CPU", 1))
    remote = ray.remote(num_cpus=1, num_gpus=1 if on_gpu else 0, memory=MEMORY, max_retries=RETRIES)(results_of)
    under_way: dict[Any, list[tuple[Cell, str]]] = {}
    try:
        while True:
            # Two for each worker, so that none waits for its next cells.
            while len(under_way) < 2 * workers and not stopped() and (batch := ledger.take(LARGEST if on_gpu else 1)):
                under_way[remote.remote([cell for cell, _ in batch])] = batch
            if not under_way or stopped():
                return
            ready, _ = ray.wait(list(under_way), timeout=WAIT_SECONDS)
            for task in ready:
                batch = under_way.pop(task)
                try:
                    results = ray.get(task)
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, UserError | torch.OutOfMemoryError):
                        raise error.cause from None
                    raise
                except ray.exceptions.WorkerCrashedError:
                    raise UserError("The workers of Ray keep dying; their machines may be out of memory. Start fewer of them.") from None
                for (_, key), result in zip(batch, results, strict=True):
                    store.put(key, result)
                ledger.book(batch, results)
                yield ledger.progress(workers=workers)
            if not ready:
                yield ledger.progress(workers=workers)
    finally:
        for task in under_way:
            ray.cancel(task, force=True)


def results_of(cells: Sequence[Cell]) -> list[CellResult]:
    """Compute cells of one point on a worker."""
    computing = compute(cells, default_device())
    while True:
        try:
            next(computing)
        except StopIteration as end:
            return end.value
