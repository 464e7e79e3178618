"""The same study on two workers of Ray, one of which is killed."""

import os
import signal

import pytest
import torch

from segviz.studies import ray_engine
from segviz.studies.run import run
from segviz.studies.store import Store
from segviz.studies.table import as_csv, table

ray = pytest.importorskip("ray")


@pytest.fixture
def two_workers():
    ray.init(num_cpus=2, num_gpus=0, object_store_memory=2**27, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("two_workers", "one_thread")
def test_a_study_survives_a_worker_that_dies(study, tmp_path, monkeypatch):
    workers, killed = tmp_path / "workers", tmp_path / "killed"
    workers.mkdir()
    results_of = ray_engine.results_of

    def dying(cells):
        (workers / str(os.getpid())).touch()
        if cells[0].image.name == "chelsea" and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return results_of(cells)

    monkeypatch.setattr(ray_engine, "results_of", dying)
    *_, progress = run(study, Store(tmp_path / "ray"), engine="ray")
    assert killed.exists()
    assert (progress.done, progress.failed) == (16, 0)
    assert len(list(workers.iterdir())) >= 3
    monkeypatch.undo()
    *_, again = run(study, Store(tmp_path / "ray"), device=torch.device("cpu"))
    assert again.reused == 16
    for _ in run(study, Store(tmp_path / "local"), device=torch.device("cpu")):
        pass
    assert as_csv(table(study, Store(tmp_path / "ray"))) == as_csv(table(study, Store(tmp_path / "local")))
