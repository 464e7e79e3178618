"""A setting that is new in the table appears everywhere by itself: on the pages that attack, in links, on the terminal, in studies."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

PAGES = ("attack_lab", "compare", "targets", "transfer", "defences", "curves")
ROW = 'warmth: float = setting(0.5, low=0, high=9, step=0.25, usual=1, label="Warmth", help="how warm")'


def lengthen_the_table() -> None:
    """Let `segviz.settings` be what it is with a row more; before anything imports it."""
    file = Path(__file__).parents[2] / "segviz" / "settings.py"
    text, end, rest = file.read_text().partition("\n    def __post_init__")
    module = sys.modules["segviz.settings"] = ModuleType("segviz.settings")
    exec(compile(f"{text}\n    {ROW}\n{end}{rest}", str(file), "exec"), module.__dict__)


class Idle:
    """An engine that never begins anything."""

    def __init__(self, *_: Any):
        pass

    def send(self, message: Any) -> None:
        pass

    def end(self) -> None:
        pass


def found_everywhere() -> dict[str, Any]:
    """Where a new setting was found, in a process of its own; what is imported here sees the longer table."""
    lengthen_the_table()
    from app_page import choose, control, open_page

    from segviz.cli.options import OneLineParser, add_settings, settings_from
    from segviz.engine import jobs
    from segviz.settings import Settings
    from segviz.studies.grid import study_of

    jobs.CONNECT = Idle
    found: dict[str, Any] = {}
    for page in PAGES:
        app = open_page(page, warmth="0.25")
        linked = control(app, "Warmth").value
        app = choose(app, Warmth=0.75)
        found[page] = [line.value for line in app.warning], linked, app.query_params["warmth"]
    parser = OneLineParser("segviz")
    add_settings(parser, attack_required=True)
    found["terminal"] = settings_from(parser.parse_args(["--attack", "pgd", "--warmth", "0.25"]), "dog").warmth
    attacks = ["fgsm", {"attack": "pgd", "warmth": 0.75}]
    study = study_of({"name": "one", "models": "voc7-lraspp", "attacks": attacks, "eps": 1, "warmth": 0.25})
    found["study"] = [row.applied(study.base).warmth for row in study.attacks]
    found["default"] = Settings().warmth
    return found


def test_a_row_of_the_table_is_a_setting_everywhere(monkeypatch):
    # A page that was drawn before left the app as the main module, which the new process would import first, with the table as it is.
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(found_everywhere).result()
    assert (found.pop("terminal"), found.pop("study"), found.pop("default")) == (0.25, [0.25, 0.75], 0.5)
    assert found == dict.fromkeys(PAGES, ([], 0.25, "0.75"))
