"""The charts of a study: what is drawn, on the page and in the file of the terminal."""

import pytest
from table_rows import row

from segviz.studies.lines import clean_values, lines_over_eps
from segviz.studies.plot import Axis, curves_html, robustness_curves


@pytest.mark.parametrize("multiples", [True, False])
def test_the_figure_always_has_the_clean_model_and_keys_to_click(multiples):
    rows = [row("pgd", 1, 0.3), row("pgd", 4, 0.1), row("pgd", 1, 0.4, model="voc7-fcn8s")]
    clean = clean_values(rows, "mIoU")
    figure = robustness_curves(lines_over_eps(rows, "mIoU"), clean, Axis("eps", log=True, eps=True), Axis("mIoU", percent=True), multiples)
    assert [shape.y0 for shape in figure.layout.shapes] == [0.8, 0.8]
    drawn = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [[data[0] for data in trace.customdata] for trace in drawn] == [["0", "1"], ["2"]]
    assert len({trace.xaxis for trace in drawn}) == (2 if multiples else 1)
    assert sum(trace.showlegend for trace in drawn) == (1 if multiples else 2)


def test_the_file_of_the_terminal_draws_what_the_page_draws():
    rows = [row("pgd", 1, 0.3), row("pgd", 4, 0.1), row("fgsm", 1, 0.6, steps=1, model="voc7-fcn8s")]
    html = curves_html("How far they fall", rows)
    page = robustness_curves(lines_over_eps(rows, "mIoU"), clean_values(rows, "mIoU"), Axis("eps", log=True), Axis("mIoU", percent=True))
    for trace in page.data:
        assert trace.name in html
    assert "How far they fall" in html
    assert "FCN-8s" in html
    assert "clean" in html
