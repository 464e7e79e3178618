"""The lessons as a student meets them: a question, a guess, then what was measured."""

import pytest
from app_page import button, go_to, metric, open_page, pictures, press, text, until

from segviz.classroom.evidence import stored_evidence, with_figures
from segviz.classroom.lessons import FOLDER, lesson_keys, read_lesson


def test_all_lessons_are_listed_and_open():
    app = open_page("lessons")
    titles = [read_lesson(FOLDER / f"{key}.toml").title for key in lesson_keys()]
    assert len(titles) == 10
    assert all(title in text(app) for title in titles)
    next(element for element in app.button if element.key == "open-02-iterations").click().run()
    assert app.title[0].value == "Iterations matter"


def test_a_number_is_guessed_before_it_is_shown():
    app = open_page("lessons", lesson="02-iterations", step="2")
    measured = 100 * stored_evidence("02-iterations")["one"].figures["miou"]
    assert not app.metric
    assert "Made beforehand" not in text(app)
    # Moved and sent at once, as quick hands do while the page is still busy with the move.
    app.slider[0].set_value(90.0)
    press(app, "This is my guess")
    assert metric(app, "Your guess") == "90 %"
    assert metric(app, "Measured") == f"{measured:.0f} %"
    assert read_lesson(FOLDER / "02-iterations.toml").steps[1].asked.reason in text(app)
    press(app, "Next")
    assert "A hundred steps" in text(app)
    press(app, "Back")
    assert metric(app, "Your guess") == "90 %"


def test_a_choice_is_told_right_or_wrong_and_shows_what_was_kept_back():
    app = open_page("lessons", lesson="01-what-changes")
    assert button(app, "This is my guess").disabled
    before = len(pictures(app))
    app.radio[0].set_value(0).run()
    press(app, "This is my guess")
    assert "Measured: **B**. You chose A." in text(app)
    assert len(pictures(app)) == before + 2


def test_pictures_are_described_by_what_they_show():
    app = open_page("lessons", lesson="02-iterations", step="2")
    told = [image.alt for element in app.get("image") for image in element.proto.imgs]
    figures = stored_evidence("02-iterations")["one"].figures
    assert f"cat {figures['share of cat']:.0%}" in told[0]
    assert "2 of 255" in told[1]


def test_run_it_here_makes_the_figures_anew():
    app = open_page("lessons", lesson="02-iterations", step="2")
    press(app, "This is my guess")
    assert "Made beforehand" in text(app)
    press(app, "Run it here")
    until(app, lambda: "Made on this machine" in text(app))
    stored = 100 * stored_evidence("02-iterations")["one"].figures["miou"]
    assert float(metric(app, "Measured").split()[0]) == pytest.approx(stored, abs=3)


def test_the_last_step_has_the_papers_claim_and_ours():
    app = open_page("lessons", lesson="03-claimed-robust", step="4")
    lesson = read_lesson(FOLDER / "03-claimed-robust.toml")
    ours = with_figures(lesson.ours, stored_evidence("03-claimed-robust"))
    assert "{" not in ours
    assert ours not in text(app)
    press(app, "This is my guess")
    shown = text(app)
    assert lesson.claim in shown
    assert ours in shown
    assert all(url in shown for _, url in lesson.papers)
    assert button(app, "Next").disabled


def test_a_link_to_no_lesson_says_so_and_a_step_out_of_range_is_brought_back():
    assert "no lesson 'unicorn'" in text(open_page("lessons", lesson="unicorn"))
    assert "![" not in text(open_page("lessons", lesson="![x](https://example.org/x.png)"))
    for step, shown in (("99", "Step 4 of 4"), ("abc", "Step 1 of 4"), ("0", "Step 1 of 4")):
        app = open_page("lessons", lesson="01-what-changes", step=step)
        assert app.get("progress")[0].proto.text == shown
        assert f"no step '{step}'" in text(app)


def test_the_answers_of_a_tab_outlive_another_page():
    app = open_page("lessons", lesson="02-iterations", step="2")
    press(app, "This is my guess")
    go_to(app, "about")
    app.query_params["lesson"], app.query_params["step"] = "02-iterations", "2"
    go_to(app, "lessons")
    if not app.metric:
        app.query_params["lesson"], app.query_params["step"] = "02-iterations", "2"
        app.run()
    assert metric(app, "Your guess") == "50 %"
