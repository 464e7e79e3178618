"""The trial of the robust twins: measured as `evaluate` does, kept, and not done again."""

import json
from dataclasses import replace

import pytest
import torch

from segviz.data.datasets import labelled_pairs
from segviz.defences.load import load_model
from segviz.models.zoo import model_entry
from segviz.studies import twins
from segviz.studies.evaluate import evaluate

KEY = "voc7-lraspp"


def test_figures_are_those_of_evaluate_and_are_kept(small_data, tmp_path):
    file = tmp_path / "twins.jsonl"
    twins.measure(small_data, [KEY], ["PGD-3"], [0.5], 2, file)
    (line,) = file.read_text().splitlines()
    settings = replace(twins.ATTACKS["PGD-3"], eps=0.5)
    model = load_model(KEY, torch.device("cpu"))
    alone = evaluate(labelled_pairs(small_data)[:2], model_entry(KEY), model, settings, lambda count: None)
    stored = json.loads(line)
    assert stored["miou"] == pytest.approx(alone.adversarial.miou, abs=1e-3)
    assert stored["clean_miou"] == pytest.approx(alone.clean.miou, abs=1e-3)
    twins.measure(small_data, [KEY], ["PGD-3"], [0.5], 2, file)
    assert file.read_text().splitlines() == [line]


def test_more_and_stronger_steps_leave_less(small_data, tmp_path):
    file = tmp_path / "twins.jsonl"
    twins.measure(small_data, [KEY], ["PGD-3", "PGD-20"], [1.0, 4.0], 2, file)
    found = {(one.attack, one.eps): one for one in twins.read(file)}
    assert found["PGD-20", 1.0].image_accuracy < found["PGD-3", 1.0].image_accuracy
    assert found["PGD-20", 4.0].image_accuracy < found["PGD-20", 1.0].image_accuracy


def test_the_table_has_a_dash_for_what_is_missing_and_for_other_weights():
    one = twins.Measured(KEY, twins.weights_of(KEY), "PGD-3", 2.0, 100, 0.11, 0.75, 0.5, 0.6)
    other = replace(one, weights="0" * 12, eps=4.0)
    *_, row, constant = twins.twins_table([one, other], [KEY], ["PGD-3", "SEA"], [2.0, 4.0], 100).splitlines()
    assert constant == "| one class everywhere | 11.0 | 11.0 / 11.0 | 11.0 / 11.0 |"
    assert row == f"| `{KEY}` | 75.0 | 50.0 / – | – / – |"
    assert "| – |" in twins.twins_table([one], [KEY], ["PGD-3"], [2.0], 50)


def test_what_is_in_the_box_belongs_to_the_bundled_weights():
    measured = twins.read(twins.KEPT)
    assert measured
    assert {one.weights for one in measured} == {twins.weights_of(one.model) for one in measured}
    sea = {(one.model, one.eps): one for one in measured if one.attack == "SEA"}
    for (key, eps), one in sea.items():
        weaker = twins.measurement(measured, key, "PGD-3", eps, one.images)
        assert weaker is None or one.miou <= weaker.miou + 0.01
