"""The studies that ship are those that the code computes."""

from dataclasses import replace

import pytest
import torch

from segviz.studies.grid import AttackRow, Images, points
from segviz.studies.precomputed import FIRST, STUDIES, load
from segviz.studies.run import run
from segviz.studies.store import Store
from segviz.studies.table import curve_over_iterations, results_at, row_of


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_point_has_every_picture(study):
    found = load(study)
    assert tuple(found) == points(study)
    for pairs in found.values():
        assert [cell.image.name for cell, _ in pairs] == [result.image for _, result in pairs]
        assert not any(result.error for _, result in pairs)
        assert curve_over_iterations([result for _, result in pairs])


def test_a_part_of_it_comes_out_again(tmp_path):
    part = replace(FIRST, models=("voc7-lraspp",), attacks=(AttackRow("pgd", steps=3),), eps=(4.0,), images=Images(names=("chelsea",)))
    store = Store(tmp_path)
    for _ in run(part, store, device=torch.device("cpu")):
        pass
    ((point, ((cell, now),)),) = results_at(part, store).items()
    (then,) = [result for other, result in load(FIRST)[point] if other.image == cell.image]
    # The last bits of a sum depend on the machine, and with them single pixels.
    assert abs(now.adversarial - then.adversarial).sum() < 0.02 * now.adversarial.sum()
    assert row_of(point, [now]).adversarial.miou == pytest.approx(row_of(point, [then]).adversarial.miou, abs=0.02)
