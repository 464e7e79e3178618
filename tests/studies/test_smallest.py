"""The smallest eps that breaks a picture."""

from dataclasses import replace

import pytest
import torch

from segviz.studies.grid import AttackRow, cells
from segviz.studies.run import run
from segviz.studies.smallest import Damage, Found, cumulative, search
from segviz.studies.store import Store, key_of
from segviz.types import UserError

CPU = torch.device("cpu")


@pytest.fixture
def one_attack(study):
    return replace(study, attacks=(AttackRow("pgd", steps=3),), eps=(6.0,), images=replace(study.images, limit=3))


def test_bisection_finds_what_the_whole_grid_shows(one_attack, tmp_path):
    store = Store(tmp_path)
    damage = Damage("pixel_accuracy", 0.45)
    *_, end = search(one_attack, store, damage, device=CPU)
    ((point, found),) = end.found.items()
    assert (end.done, end.total) == (3, 3)
    assert point.settings.eps == 6
    grid = replace(one_attack, eps=tuple(map(float, range(1, 7))))
    *_, progress = run(grid, store, device=CPU)
    assert progress.reused == end.computed <= 3 * 4
    by_image = {}
    for cell in cells(grid):
        by_image.setdefault(cell.image.name, {})[cell.settings.eps] = damage.value(store.get(key_of(cell)))
    for one in found:
        values = by_image[one.image]
        assert all(values[eps] == value for eps, value in one.trials)
        if one.eps is None:
            assert values[6.0] > 0.45
        elif one.eps > 0:
            assert values[one.eps] <= 0.45
            assert one.eps == 1 or values[one.eps - 1] > 0.45
    assert any(one.eps for one in found)


def test_a_search_goes_on_where_it_stopped(one_attack, tmp_path):
    damage = Damage(level=0.5)
    stops = iter([False] * 6)
    *_, broken_off = search(one_attack, Store(tmp_path), damage, stopped=lambda: next(stops, True), device=CPU)
    assert broken_off.done < 3
    *_, end = search(one_attack, Store(tmp_path), damage, device=CPU)
    *_, through = search(one_attack, Store(tmp_path / "through"), damage, device=CPU)
    assert end.found == through.found
    assert end.computed + 1 == through.computed
    *_, stored = search(one_attack, Store(tmp_path), damage, stopped=lambda: True, device=CPU)
    assert stored.found == through.found
    assert stored.computed == 0


def test_the_curve_counts_the_images_that_are_broken():
    found = [Found("a", 2.0, ()), Found("b", None, ()), Found("c", 1.0, ()), Found("d", 2.0, ()), Found("e", None, (), "no such class")]
    assert cumulative(found) == ((1.0, 0.25), (2.0, 0.75))
    assert cumulative([]) == ()


def test_damage_that_makes_no_sense_is_refused(one_attack, tmp_path):
    with pytest.raises(UserError, match="Unknown measure"):
        Damage("psnr")
    with pytest.raises(UserError, match="between 0 and 1"):
        Damage(level=1)
    with pytest.raises(UserError, match="above 0"):
        next(search(one_attack, Store(tmp_path), Damage(), tolerance=0))
