"""Runs that pages queue can be sent to another process, and end soon once they are to stop."""

import pickle

import pytest

from segviz.lab import sample_picture
from segviz.models.zoo import model_entry
from segviz.settings import Settings
from segviz.studies import runs
from segviz.studies.target_maps import Mirrored
from segviz.studies.transfer import by_source, sample_files

SETTINGS = Settings(image="camera", steps=2)


def arguments_of(name):
    picture = sample_picture("camera", model_entry(SETTINGS.model))
    return {
        "run_attack": (SETTINGS, picture),
        "run_comparison": ((SETTINGS, Settings(image="camera", attack="fgsm")), picture),
        "run_morph": (Settings(image="", goal="map", steps=2), Mirrored(), [picture]),
        "run_trial": (SETTINGS, "jpeg", picture, 2),
        "run_transfer": (
            by_source([SETTINGS], (SETTINGS.model,), (SETTINGS.model,)),
            sample_files(["camera"], model_entry(SETTINGS.model).label_set),
            None,
        ),
    }[name]


@pytest.mark.parametrize("name", ["run_attack", "run_comparison", "run_morph", "run_trial", "run_transfer"])
def test_a_run_travels_and_stops(name):
    function, arguments = pickle.loads(pickle.dumps((getattr(runs, name), arguments_of(name))))
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 1

    snapshots = list(function(*arguments, stopped=stopped))
    assert len(snapshots) > 1
    assert asked
    assert pickle.loads(pickle.dumps(snapshots[-1])) is not None
