"""The run that is shown before any model is loaded is a true one."""

import numpy as np
import pytest

from segviz.settings import Settings
from segviz.studies import first_view


def test_bundled_weights_make_the_same_run_again(tmp_path):
    shown, made = first_view.load(), first_view.make_first_view()
    assert shown.settings == Settings()
    assert [frame.index for frame in shown.frames] == [frame.index for frame in made.frames]
    assert (shown.frames[0].prediction == made.frames[0].prediction).mean() > 0.999
    assert shown.clean.miou == pytest.approx(made.clean.miou, abs=0.002)
    # Processors round differently, so the iterates drift apart a little; the damage done must be the same.
    assert shown.report.adversarial.miou == pytest.approx(made.report.adversarial.miou, abs=0.03)
    assert shown.report.adversarial.pixel_accuracy == pytest.approx(made.report.adversarial.pixel_accuracy, abs=0.05)
    assert shown.report.linf == made.report.linf == 4
    assert np.abs(shown.final.pixels.astype(int) - shown.picture.pixels).max() == 4

    first_view.save(made, tmp_path / "view.npz")
    again = first_view.load(tmp_path / "view.npz")
    assert again.report == made.report
    assert again.curve == made.curve
    assert np.array_equal(again.final.pixels, made.final.pixels)
