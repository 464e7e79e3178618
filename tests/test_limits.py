"""What a server allows its visitors, and that the documentation names every variable."""

import re

import pytest

from segviz import limits
from segviz.data.images import read_photo
from segviz.places import ASSETS, CODE
from segviz.types import UserError


def test_every_variable_is_documented():
    code = "\n".join(file.read_text() for file in (CODE / "segviz").rglob("*.py"))
    table = (CODE / "docs" / "deployment.md").read_text()
    read = set(re.findall(r"\bSEGVIZ_[A-Z_]*[A-Z]\b", code)) - {"SEGVIZ_"}
    assert read == set(re.findall(r"^\| `(SEGVIZ_[A-Z_]+)`", table, re.MULTILINE))
    for limit in (limits.PICTURE_PIXELS, limits.RUNS_PER_USER, limits.UPLOADS_PER_HOUR):
        assert f"| `{limit.variable}` | {limit.default} |" in table


@pytest.mark.parametrize("text", ["", "many", "-1", "0"])
def test_what_is_no_limit_leaves_the_default(monkeypatch, text):
    monkeypatch.setenv("SEGVIZ_PICTURE_PIXELS", text)
    assert limits.PICTURE_PIXELS.value == 40_000_000


def test_a_picture_may_be_only_so_large(monkeypatch):
    chelsea = ASSETS / "samples" / "chelsea.png"
    read_photo(chelsea, None)
    monkeypatch.setenv("SEGVIZ_PICTURE_PIXELS", "50000")
    with pytest.raises(UserError, match=r"at most 0\.05 megapixels"):
        read_photo(chelsea, None)


def test_uploads_of_an_hour_are_counted_by_visitor_and_file(monkeypatch):
    monkeypatch.setenv("SEGVIZ_UPLOADS_PER_HOUR", "2")
    clock = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: clock[0])
    seen = limits.Uploads()
    for data in (b"one", b"two", b"one", b"two"):
        seen.check("me", data)
    seen.check("you", b"three")
    clock[0] = 600.0
    with pytest.raises(UserError, match=r"2 uploads per hour .* in 50 min"):
        seen.check("me", b"three")
    clock[0] = 3601.0
    seen.check("me", b"three")


def test_runs_under_way_are_limited(monkeypatch):
    limits.check_runs(100)
    monkeypatch.setenv("SEGVIZ_RUNS_PER_USER", "2")
    limits.check_runs(1)
    with pytest.raises(UserError, match="2 runs at a time"):
        limits.check_runs(2)
