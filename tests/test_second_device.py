"""Everything that computes, on a simulated second device: no tensor stays behind on the CPU, and no step of an attack waits for the device.

Results of the attacks are those of the CPU to the last bit, since the device computes with the CPU's operations.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from segviz.attacks.catalog import build_attack
from segviz.attacks.goals import build_goal
from segviz.attacks.regions import region_mask
from segviz.attacks.rows import ATTACKS
from segviz.attacks.transforms import TRANSFORMS
from segviz.data.datasets import labelled_pairs
from segviz.data.label_sets import VOC7
from segviz.data.samples import samples
from segviz.defences.catalog import wrap
from segviz.defences.load import load_model
from segviz.defences.rows import DEFENCES
from segviz.lab import attack_picture, sample_picture
from segviz.models.load import ModelCache
from segviz.models.segmenter import Segmenter
from segviz.models.wrappers import WRAPPERS
from segviz.models.zoo import MODELS
from segviz.records import Figures
from segviz.settings import GIVEN, Settings
from segviz.studies.cell import compute
from segviz.studies.compare import compare
from segviz.studies.defences import growing_eps, on_trial, survey
from segviz.studies.evaluate import evaluate
from segviz.studies.gallery import view_photo
from segviz.studies.grid import AttackRow, Images, Study, cells
from segviz.studies.scaling import ScalingSettings, detection_study, sample_full_size, scaling_study
from segviz.studies.smallest import Damage, search
from segviz.studies.store import Store
from segviz.studies.target_maps import Everywhere, Given, Without
from segviz.studies.targets import morph
from segviz.studies.transfer import by_source, sample_files, transfer
from segviz.types import VOID, Goal
from tests.conftest import OneLayer, OneLevel
from tests.second_device import SECOND, SecondDevice, There

CPU = torch.device("cpu")
KEY = "voc7-lraspp"
CASES = [
    *(
        Settings(attack=key, variant=variant, norm=norm, steps=3)
        for key, row in ATTACKS.items()
        for index, variant in enumerate(row.variants or [""])
        for norm in (row.norms if index == 0 else row.norms[:1])
    ),
    *(Settings(transforms=(key,), steps=2) for key in TRANSFORMS),
]
# Where a step waits all the same, and why.
UNTIL_WON = {"dag": ("segviz/attacks/dag.py",)} | {
    key: ("segviz/attacks/loop.py", "segviz/attacks/dag.py") for key, row in ATTACKS.items() if row.members is not None
}
"""DAG, and the attacks of a suite, rest once every pixel is won, which they ask the device once or twice per step."""
BY_NATURE = {key: ("segviz/defences/wrappers.py",) for key in DEFENCES if key.startswith("random-")} | {
    "jpeg": ("segviz/defences/jpeg.py",),
    "random-jpeg": ("segviz/defences/jpeg.py", "segviz/defences/wrappers.py"),
    "crf": ("segviz/models/crf.py",),
}
"""Random defences draw what the 8-bit picture says; libjpeg runs on the CPU; how large the CRF's grid is follows from the colours."""


@pytest.fixture
def device() -> SecondDevice:
    return SecondDevice()


@pytest.fixture
def small() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(OneLevel(), OneLayer(8, 7, 1), (0.5,) * 3, (0.2,) * 3, VOC7).eval().requires_grad_(False)


@pytest.fixture
def x() -> Tensor:
    return torch.randint(0, 256, (2, 3, 48, 40), generator=torch.Generator().manual_seed(1)) / 255


@pytest.fixture
def labels() -> Tensor:
    maps = torch.randint(0, 7, (2, 48, 40), generator=torch.Generator().manual_seed(2))
    maps[1, :3] = VOID
    return maps


def result_there(device: SecondDevice, settings: Settings, model: Segmenter, x: Tensor, goal: Goal, region: Tensor | None = None) -> Tensor:
    """The result of an attack on the second device, brought back; its iterations are watched."""
    steps = build_attack(settings, *x.shape[2:], label_set=VOC7, region=region).run(model, x, goal)
    last = next(steps)
    with device.step():
        for last in steps:
            assert isinstance(last.x_adv, There)
            assert last.prediction.device == last.success.device == SECOND
    return last.x_adv.cpu()


def result_here(settings: Settings, model: Segmenter, x: Tensor, goal: Goal, region: Tensor | None = None) -> Tensor:
    *_, last = build_attack(settings, *x.shape[2:], label_set=VOC7, region=region).run(model, x, goal)
    return last.x_adv


@pytest.mark.parametrize("settings", CASES, ids=lambda one: "-".join([one.attack, one.variant, one.norm, *one.transforms]))
def test_every_attack_and_transform(device, small, x, labels, settings):
    expected = result_here(settings, small, x, Goal(labels))
    with device:
        found = result_there(device, settings, copy.deepcopy(small).to(SECOND), x.to(SECOND), Goal(labels.to(SECOND)))
    assert torch.equal(found, expected)
    allowed = UNTIL_WON.get(settings.attack, ())
    assert [wait for wait in device.waits if not any(file in wait for file in allowed)] == []


@pytest.mark.parametrize("goal", ["break", "class", "everywhere", "remove", "swap"])
@pytest.mark.parametrize("region", ["", "polygon:10,10 90,20 50,80"])
def test_every_goal_and_region(device, small, x, labels, goal, region):
    def case(model: Segmenter, x: Tensor, labels: Tensor) -> tuple[Any, ...]:
        prediction = model(x).argmax(1)
        first, second = (VOC7.classes[index] for index in prediction.unique().tolist()[:2])
        settings = Settings(
            goal=goal, target=None if goal == "break" else first, other=second if goal == "swap" else None, region=region, steps=2
        )
        where = region_mask(region, labels, VOC7) if region else None
        return settings, model, x, build_goal(settings, labels, prediction, VOC7), where

    expected = result_here(*case(small, x, labels))
    with device:
        found = result_there(device, *case(copy.deepcopy(small).to(SECOND), x.to(SECOND), labels.to(SECOND)))
    assert torch.equal(found, expected)
    assert device.waits == []


@pytest.mark.parametrize("name", dict.fromkeys([*WRAPPERS, *DEFENCES]))
def test_every_wrapper_and_defence(device, small, x, labels, name):
    settings = Settings(steps=2)
    expected = result_here(settings, wrap(small, name), x, Goal(labels))
    with device:
        model = wrap(copy.deepcopy(small).to(SECOND), name)
        found = result_there(device, settings, model, x.to(SECOND), Goal(labels.to(SECOND)))
    assert torch.equal(found, expected)
    allowed = BY_NATURE.get(name, ())
    assert [wait for wait in device.waits if not any(file in wait for file in allowed)] == []


def rates(figures: Figures) -> list[float]:
    return [figures.miou, figures.pixel_accuracy]


def lab(device: torch.device, **_: Any) -> Any:
    *_, last = attack_picture(Settings(steps=2), sample_picture("chelsea", MODELS[KEY]), load_model(KEY, device))
    return rates(last.report.adversarial)


def side_by_side(device: torch.device, **_: Any) -> Any:
    *_, last = compare(
        [Settings(steps=1), Settings(attack="segpgd", steps=1)], sample_picture("chelsea", MODELS[KEY]), load_model(KEY, device)
    )
    return [rate for entrant in last for rate in rates(entrant.trajectory.report.adversarial)]


def over_data(device: torch.device, data: Any, **_: Any) -> Any:
    made = evaluate(labelled_pairs(data)[:2], MODELS[KEY], load_model(KEY, device), Settings(attack="sea", steps=1), lambda _: None)
    return [made.clean.miou, made.adversarial.miou]


def cell(device: torch.device, grid: Any, **_: Any) -> Any:
    run = compute(cells(replace(grid, attacks=(AttackRow("pgd", steps=1),), eps=(4.0,)))[:2], device, largest=2)
    while True:
        try:
            next(run)
        except StopIteration as end:
            return [one.adversarial.diagonal().sum() / one.adversarial.sum() for one in end.value]


def smallest_eps(device: torch.device, grid: Any, folder: Any, **_: Any) -> Any:
    one = replace(grid, attacks=(AttackRow("fgsm"),), eps=(2.0,), images=replace(grid.images, limit=1))
    *_, last = search(one, Store(folder / str(device)), Damage(), device=device)
    return [value for found in last.found.values() for one in found for _, value in one.trials]


def between_models(device: torch.device, **_: Any) -> Any:
    plan = by_source([Settings(steps=1)], [KEY], [KEY, f"{KEY}+scale50"])
    *_, last = transfer(plan, sample_files(["chelsea"], VOC7), device)
    return [rate for one in last.cells for rate in (one.clean.miou, one.adversarial.miou)]


def towards_maps(device: torch.device, **_: Any) -> Any:
    picture = sample_picture("chelsea", MODELS[KEY])
    found = []
    for target in (Everywhere("dog"), Without("cat"), Given(picture.labels)):
        *_, last = morph(Settings(goal=GIVEN, steps=1), target, [picture], load_model(KEY, device))
        found.append(last[0].result.moment.original_accuracy)
    return found


def behind_a_defence(device: torch.device, **_: Any) -> Any:
    model, picture = load_model(KEY, device), sample_picture("chelsea", MODELS[KEY])
    *_, trial = on_trial(Settings(steps=1), "random-noise", picture, model, 4, draws=2)
    *_, table = survey(Settings(steps=1), ["median"], [picture], model, 1)
    *_, ladder = growing_eps(Settings(steps=1), [1.0], picture, {KEY: model})
    runs = [trial.adaptive, ladder.runs[KEY][0]]
    found = [rate for run in runs for rate in rates(run.report.adversarial)]
    return found + [rate for row in table.rows for rate in (row.clean, row.adaptive)]


def when_scaled(device: torch.device, **_: Any) -> Any:
    model = load_model(KEY, device)
    source = sample_full_size("chelsea").pixels[:128, :128]
    *_, made = scaling_study(ScalingSettings(hidden="adversarial", size="/2", steps=1), source, None, model)
    *_, found = detection_study(ScalingSettings(hidden="colour", size="/2"), {"chelsea": source}, model, side=64)
    return [(made.frames["honest"].prediction == VOC7.classes.index("cat")).mean(), len(found.benign)]


def gallery(device: torch.device, **_: Any) -> Any:
    *_, views = view_photo([KEY, "selfie"], samples()["chelsea"], device, lambda: False)
    return [(view.prediction > 0).mean() for view in views]


JOBS: list[Callable[..., Any]] = [
    lab,
    side_by_side,
    over_data,
    cell,
    smallest_eps,
    between_models,
    towards_maps,
    behind_a_defence,
    when_scaled,
    gallery,
]


@pytest.mark.parametrize("job", JOBS)
def test_every_job_of_a_page(device, monkeypatch, small_data, tmp_path, job):
    monkeypatch.setattr("segviz.defences.load.CACHE", ModelCache(10**9))
    for key in (KEY, "selfie"):
        monkeypatch.setitem(MODELS, key, replace(MODELS[key], working_size=96))
    grid = Study("small", (KEY,), (AttackRow("fgsm"),), (2.0,), images=Images(str(small_data)))
    given = {"data": small_data, "folder": tmp_path, "grid": grid}
    expected = job(CPU, **given)
    with device:
        found = job(SECOND, **given)
    assert found
    # On a CPU, convolutions are computed in a way that is the same for every batch; elsewhere they round otherwise.
    assert found == pytest.approx(expected, abs=0.05)


def test_the_device_tells_what_it_is_for(device):
    """What a GPU refuses is refused, and what makes the CPU wait is counted, at its place."""
    with device:
        there = torch.arange(4.0).to(SECOND)
        with pytest.raises(RuntimeError, match="stayed behind on the CPU"):
            there + torch.ones(4)
        with pytest.raises(RuntimeError, match="not supported"):
            there.numpy()
        assert (there + torch.tensor(1.0)).cpu().tolist() == [1, 2, 3, 4]
        assert device.waits == []
        for wait in (
            lambda: there.sum().item(),
            lambda: bool(there.any()),
            lambda: there.cpu(),
            lambda: there.tolist(),
            lambda: there[there > 1],
            lambda: there.nonzero(),
            lambda: torch.ones(4).to(SECOND),
            lambda: there.new_tensor([1.0]),
            lambda: torch.tensor([1.0], device=SECOND),
            lambda: torch.equal(there, there),
        ):
            device.waits.clear()
            with device.step():
                wait()
            assert len(device.waits) == 1
        device.waits.clear()
        with device.step():
            torch.ones(4).to(SECOND, non_blocking=True)
            torch.zeros(4, device=SECOND).add_(there).clamp(1).argmax()
        assert device.waits == []
