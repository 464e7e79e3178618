"""Every step of every lesson opens in a browser, with its question ready and nothing broken."""

from playwright.sync_api import expect

from segviz.classroom.lessons import FOLDER, lesson_keys, read_lesson
from segviz.classroom.questions import ChoiceQuestion, CurveQuestion, NumberQuestion


def widget_of(page, question):
    if isinstance(question, NumberQuestion):
        return page.get_by_role("slider")
    if isinstance(question, ChoiceQuestion):
        return page.get_by_role("radiogroup")
    curve = isinstance(question, CurveQuestion)
    return (
        page.get_by_test_id("segviz-predict-curve").locator("svg") if curve else page.get_by_test_id("segviz-predict-place").locator("img")
    )


def test_every_step_opens(page, address):
    page.goto(address)
    page.get_by_role("link", name="Lessons").click()
    for number, key in enumerate(lesson_keys()):
        lesson = read_lesson(FOLDER / f"{key}.toml")
        page.get_by_role("button", name="Open").nth(number).click()
        for place, step in enumerate(lesson.steps, 1):
            expect(page.get_by_role("heading", name=step.title, exact=True)).to_be_visible()
            expect(page.get_by_text(f"Step {place} of {len(lesson.steps)}")).to_be_visible()
            if step.asked is not None:
                expect(widget_of(page, step.asked.question)).to_be_visible()
            if place < len(lesson.steps):
                page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="All lessons").click()


def test_the_keyboard_moves_a_guess_by_whole_per_cent(page, address):
    page.goto(address)
    page.get_by_role("link", name="Lessons").click()
    page.get_by_role("button", name="Open").nth(1).click()
    page.get_by_role("button", name="Next").click()
    slider = page.get_by_role("slider")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(page.get_by_text("52 %", exact=True)).to_be_visible()
    page.get_by_role("button", name="This is my guess").click()
    expect(page.get_by_test_id("stMetric").first).to_contain_text("52 %")
