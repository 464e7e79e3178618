"""The chart of the robust twins shows what was measured, and the page goes from the weak attack to the strong one."""

from segviz.studies.twins import Measured
from segviz.ui.defences.charts import twin_curves


def test_a_line_per_model_from_its_clean_value_over_growing_eps():
    rows = [
        Measured("voc7-lraspp", "0" * 12, "SEA", 4.0, 100, 0.11, 0.75, 0.01, 0.02),
        Measured("voc7-lraspp", "0" * 12, "SEA", 2.0, 100, 0.11, 0.75, 0.05, 0.1),
        Measured("voc7-lraspp-pgd", "1" * 12, "SEA", 4.0, 100, 0.11, 0.45, 0.2, 0.7),
    ]
    figure = twin_curves(rows)
    clean, robust = figure.data
    assert (list(clean.x), list(clean.y)) == ([0, 2, 4, 8], [0.75, 0.05, 0.01, None])
    assert (list(robust.x), list(robust.y)) == ([0, 2, 4, 8], [0.45, None, 0.2, None])
    assert "PGD" in robust.name
    assert figure.layout.shapes[0].y0 == 0.11
