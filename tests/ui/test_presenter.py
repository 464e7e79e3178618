"""What the presenter view makes large on the server: charts and the columns of tables."""

from app_page import button, open_page, press, record

from segviz.ui.kit.charts import comparison_curves, for_the_last_row
from segviz.ui.kit.session import first_trajectory
from segviz.ui.kit.state import Tab


def test_a_chart_for_the_last_row_is_a_larger_copy():
    figure = comparison_curves({"PGD": (first_trajectory(), "#ff0000")}, "pixel accuracy", 20)
    large = for_the_last_row(figure)
    assert (large.layout.font.size, large.layout.xaxis.tickfont.size, large.layout.legend.font.size) == (20, 20, 20)
    assert large.layout.height > figure.layout.height
    assert figure.layout.font.size is None
    line, star = large.data
    assert line.line.width == 4
    assert star.marker.symbol == "star"


def test_in_the_presenter_view_a_lesson_is_revealed_without_a_guess():
    app = open_page("lessons", lesson="02-iterations", step="2")
    assert "Reveal" not in [one.label for one in app.button]
    record(app, Tab).presenting = True
    app.run()
    assert button(app, "Next").proto.shortcut
    press(app, "Reveal")
    assert [one.label for one in app.metric] == ["Measured"]
