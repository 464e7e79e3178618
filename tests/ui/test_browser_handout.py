"""The sheet of a lesson prints to one page of A4, with its pictures and without a network."""

import re

import pytest

from segviz.classroom.evidence import stored_evidence
from segviz.classroom.handout import handout
from segviz.classroom.lessons import FOLDER, lesson_keys, read_lesson


@pytest.mark.parametrize("key", lesson_keys())
def test_a_lesson_is_one_page(browser, key):
    lesson = read_lesson(FOLDER / f"{key}.toml")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_content(handout(lesson, stored_evidence(key)))
    assert page.locator("img").evaluate_all("all => all.length > 0 && all.every(one => one.complete && one.naturalWidth > 0)")
    sheet = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
    shown = page.inner_text("body")
    assert all(step.title in shown for step in lesson.steps)
    assert shown.count("Measured:") == sum(step.asked is not None for step in lesson.steps)
    context.close()
