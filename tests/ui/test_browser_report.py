"""A report in a browser: its curves answer the mouse, its legend hides and shows, and it prints."""

import re

from playwright.sync_api import expect

from segviz.data.label_sets import VOC7
from segviz.report.document import report_html
from segviz.report.kinds import run_document
from segviz.studies import first_views


def test_curves_answer_the_mouse_and_pages_are_printed(page, tmp_path):
    run = first_views.load("lab")
    file = tmp_path / "report.html"
    file.write_text(report_html(run_document(run, VOC7, "http://here/")))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    chart = page.locator(".chart").first
    chart.locator("svg").hover()
    middle = chart.locator("output")
    expect(middle).to_contain_text("iteration")
    index, miou = re.search(r"iteration (\d+) .*mIoU of this image: ([\d.]+) %", middle.text_content()).groups()
    assert miou == f"{100 * next(point.miou for point in run.curve if point.index == int(index)):.1f}"
    expect(middle).to_contain_text("pixels won")
    chart.get_by_role("button", name="pixels won").click()
    expect(chart.locator("g[data-curve='2']")).to_be_hidden()
    chart.locator("svg").hover()
    expect(middle).not_to_contain_text("pixels won")
    chart.get_by_role("button", name="pixels won").click()
    expect(chart.locator("g[data-curve='2']")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.emulate_media(media="print")
    expect(middle).to_be_hidden()
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert 1 < pages < 8
