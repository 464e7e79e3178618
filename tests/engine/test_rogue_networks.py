"""Networks of users that do in their forward pass what none should: they end their own run and nobody else's."""

import numpy as np
import pytest
from waiting import wait_until

from segviz.engine.jobs import Engine, State
from segviz.records import Picture
from segviz.settings import Settings
from segviz.studies.runs import run_attack

FACTORY = """
import sys
import torch
from torch import nn


class Rogue(nn.Module):
    # Behaves while it is looked at, and for the first steps of an attack.
    def __init__(self, act):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.act = act
        self.attacked = 0

    def forward(self, x):
        self.attacked += x.requires_grad
        if self.attacked > 2:
            self.act()
        return self.conv(x)


def hoard():
    held = []
    while True:
        held.append(torch.ones(1 << 28))


def good():
    return Rogue(lambda: None)


def exits():
    return Rogue(lambda: sys.exit(1))


def switches():
    return Rogue(lambda: torch.set_grad_enabled(False))


def doubles():
    return Rogue(lambda: torch.set_default_dtype(torch.float64))


def hoards():
    return Rogue(hoard)
"""
MESSAGES = {
    # These two are contained where the network is tried, before it is attacked.
    "exits": "SystemExit",
    "switches": "cannot be attacked",
    "hoards": "out of memory",
}


@pytest.mark.parametrize("rogue", MESSAGES)
def test_a_rogue_network_ends_its_own_run(process: Engine, tmp_path, rogue):
    (tmp_path / "nets.py").write_text(FACTORY)
    picture = Picture("noise", np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8), None, (48, 32))

    def attack(owner: str, network: str, steps: int):
        settings = Settings(model=f"{tmp_path / 'nets.py'}:{network}", image="own", steps=steps)
        return process.submit(owner, run_attack, (settings, picture))

    other = attack("b", "good", 200)
    wait_until(lambda: other.latest is not None)
    job = attack("a", rogue, 20)
    wait_until(lambda: not job.active)
    assert job.state is State.FAILED
    assert MESSAGES[rogue] in job.error
    assert job.latest is None or job.latest.report is None
    wait_until(lambda: not other.active)
    assert other.state is State.DONE
    assert len(other.latest.curve) == 201


def test_the_number_type_that_a_network_sets_holds_for_nobody_else(process: Engine, tmp_path):
    (tmp_path / "nets.py").write_text(FACTORY)
    picture = Picture("noise", np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8), None, (48, 32))

    def attack(owner: str, network: str, steps: int):
        settings = Settings(model=f"{tmp_path / 'nets.py'}:{network}", image="own", steps=steps)
        return process.submit(owner, run_attack, (settings, picture))

    other = attack("b", "good", 50)
    wait_until(lambda: other.latest is not None)
    job = attack("a", "doubles", 20)
    wait_until(lambda: not job.active and not other.active)
    assert other.state is State.DONE
    assert len(other.latest.curve) == 51
    assert job.state is State.DONE or "number type" in job.error
    again = attack("a", "good", 2)
    wait_until(lambda: not again.active)
    assert again.state is State.DONE
