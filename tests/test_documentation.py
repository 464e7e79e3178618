"""The documentation: its links, its generated page, its commands and its examples."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from docs import catalogue
from segviz.cli import main, parser
from segviz.places import HOME

PAGES = [HOME / "README.md", HOME / "CONTRIBUTING.md", *sorted((HOME / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Every command of segviz in the documentation, with its page."""
    found = [
        (page.name, line)
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text())
        if not language
        for line in block.split("\n")
        if re.match(r"segviz |python -m ", line)
    ]
    return sorted(set(found))


def test_the_catalogue_is_that_of_the_tables():
    assert catalogue.PAGE.read_text() == catalogue.page(), "docs/catalogue.md is stale; run: python -m docs.catalogue"


def build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """The site of the documentation in `folder`, made as in CI."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_every_link_leads_somewhere(tmp_path):
    done = build(HOME, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    pictures = re.findall(r'src="(\.\./screenshots/[^"]+)"', (tmp_path / "site" / "app" / "index.html").read_text())
    assert pictures
    assert all((tmp_path / "site" / "app" / picture).is_file() for picture in pictures)


def test_a_broken_link_fails_the_build(tmp_path):
    shutil.copy(HOME / "mkdocs.yml", tmp_path)
    shutil.copytree(HOME / "docs", tmp_path / "docs")
    (tmp_path / "assets").symlink_to(HOME / "assets")
    with (tmp_path / "docs" / "teaching.md").open("a") as page:
        page.write("\n[nowhere](app.md#no-such-part)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "no-such-part" in done.stderr


def test_links_of_the_pages_outside_the_site():
    for page in (HOME / "README.md", HOME / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert "://" in target or (HOME / target).exists(), f"{page.name} links {target}"


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_are_understood(page, command):
    """Options and their values by the parser; modules by whether they are there."""
    program, *words = shlex.split(command)
    if program == "segviz":
        options, further = parser().parse_known_args(words)
        assert "streamlit" in options or not further
    else:
        assert importlib.util.find_spec(words[1]) is not None


@pytest.mark.parametrize(
    "command", ["segviz models", "segviz attacks", "segviz attack --image chelsea --attack pgd --eps 4 --steps 20 --save out/"]
)
def test_quick_commands_run(command, tmp_path, monkeypatch, capsys):
    assert any(command == line for _, line in commands())
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


def test_the_example_of_the_library_runs(capsys):
    """Both blocks, one after the other, in fewer steps."""
    blocks = [block for language, block in BLOCK.findall((HOME / "docs" / "library.md").read_text()) if language == "python"]
    assert "steps=20" in blocks[0]
    names: dict[str, object] = {}
    for block in blocks:
        exec(block.replace("steps=20", "steps=2"), names)
    assert capsys.readouterr().out.count("\n") > 2


def test_commits_are_checked_as_in_ci():
    hooks = re.findall(r"^ +entry: (.+)$", (HOME / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    lines = (HOME / ".ci" / "run").read_text().split("\n")
    assert len(hooks) == 4
    assert all(hook in lines for hook in hooks)


def test_the_readme_is_short_and_keeps_its_commands():
    text = (HOME / "README.md").read_text()
    assert len(text.split("\n")) <= 90
    for command in (
        "pip install -r requirements.txt && streamlit run app.py",
        "pip install -r tests/requirements.txt && pytest -n 2 --dist loadfile",
    ):
        assert f"\n{command}\n" in text
    assert "dynamic" in tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
