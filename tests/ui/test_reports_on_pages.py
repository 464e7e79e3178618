"""Every page of results offers the report of what it shows, driven by AppTest."""

import pytest
from app_page import open_page


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("attack_lab", "PGD against"),
        ("compare", "5 attacks on"),
        ("transfer", "Transfer from"),
        ("image_scaling", "A picture hidden from"),
        ("defences", "jpeg on trial against PGD"),
        ("curves", "Study"),
    ],
)
def test_the_first_view_has_a_report(files, page, title):
    open_page(page)
    html = files["report.html"]()
    assert f"<h1>{title}" in html
    for section in ("Figures", "Python code", "Versions and hashes"):
        assert f"<h2>{section}</h2>" in html
