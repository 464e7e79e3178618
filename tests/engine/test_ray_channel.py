"""An engine on a machine of a Ray cluster, which is lost in the middle of a run."""

import threading
from pathlib import Path

import pytest
import runs
from waiting import wait_until

from segviz.engine.jobs import Engine, State
from segviz.engine.ray_channel import RayChannel

ray = pytest.importorskip("ray")


@pytest.fixture
def on_ray(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    ray.init(num_cpus=1, num_gpus=0, object_store_memory=2**27, include_dashboard=False, log_to_driver=False, logging_level="error")
    engine = Engine(RayChannel)
    yield engine
    engine.close()
    # What still asks Ray for something would start it anew.
    wait_until(lambda: not any(thread.name == "segviz-ray" for thread in threading.enumerate()))
    ray.shutdown()


def test_a_lost_machine_costs_the_run_at_turn_alone(on_ray: Engine):
    job, other = (on_ray.submit(owner, runs.counting, (200, 0.01)) for owner in ("a", "b"))
    wait_until(lambda: job.latest is not None and other.latest is not None)
    ray.kill(on_ray._devices[0].channel._actor)
    wait_until(lambda: not job.active and not other.active)
    lost, kept = sorted((job, other), key=lambda one: one.state is State.DONE)
    assert lost.state is State.FAILED
    assert "lost with it" in lost.error
    assert (kept.state, kept.latest) == (State.DONE, 199)
