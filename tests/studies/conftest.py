"""A study that takes seconds: the bundled model on the four small pictures."""

from pathlib import Path

import pytest

from segviz.studies.grid import AttackRow, Images, Study


@pytest.fixture
def study(small_data: Path) -> Study:
    return Study("small", ("voc7-lraspp",), (AttackRow("fgsm"), AttackRow("pgd")), (2.0, 8.0), (2,), images=Images(str(small_data)))
