"""A study that takes seconds: the bundled model on the four small pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from segviz.studies.grid import AttackRow, Images, Study


@pytest.fixture
def study(small_data: Path) -> Study:
    return Study("small", ("voc7-lraspp",), (AttackRow("fgsm"), AttackRow("pgd")), (2.0, 8.0), (2,), images=Images(str(small_data)))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums of floats do not depend on how several threads would share out a batch."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
