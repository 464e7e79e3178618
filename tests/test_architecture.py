"""The house: imports point downwards, and only the app, its pages and the ui know Streamlit."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A package may import itself and what stands in a later row.
FLOORS = (
    ("segviz.__main__",),
    ("segviz.training", "segviz.ui", "segviz.cli"),
    ("segviz.live",),
    ("segviz.report",),
    ("segviz.results", "segviz.classroom", "segviz.animation", "segviz.history"),
    ("segviz.studies",),
    ("segviz.engine", "segviz.lab"),
    ("segviz.defences",),
    ("segviz.attacks", "segviz.scaling"),
    ("segviz.models", "segviz.metrics", "segviz.draw"),
    ("segviz.data",),
    ("segviz.records",),
    ("segviz.settings",),
    ("segviz.fields", "segviz.limits"),
    ("segviz.deferred", "segviz.export", "segviz.places", "segviz.types"),
)


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def floor_of(module: str) -> tuple[int, str] | None:
    for number, row in enumerate(FLOORS):
        for package in row:
            if module == package or module.startswith(package + "."):
                return number, package
    return None


def modules() -> dict[str, Path]:
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in sorted((ROOT / "segviz").rglob("*.py"))}


def test_every_module_has_a_floor():
    homeless = [name for name in modules() if floor_of(name) is None and name != "segviz.__init__"]
    assert homeless == []


def test_nothing_imports_upwards_or_sideways():
    wrong = []
    for name, file in modules().items():
        here = floor_of(name)
        for imported in imports_of(file):
            there = floor_of(imported)
            if here and there and here[1] != there[1] and there[0] <= here[0]:
                wrong.append(f"{name} imports {imported}")
    assert wrong == []


def test_no_files_import_each_other_in_a_circle():
    known = modules()
    graph = {name: {imported for imported in imports_of(file) if imported in known and imported != name} for name, file in known.items()}
    TopologicalSorter(graph).prepare()


SAME_MEANING = {"add", "main", "load", "save"}
"""Names that stand for the same in every module: a command and its options, a program, a file of results."""


def test_no_name_means_two_things():
    """Of classes and public functions."""
    places: dict[str, list[str]] = {}
    for name, file in modules().items():
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in SAME_MEANING} == {}


def test_long_functions_say_why():
    """Of more than 50 lines: a comment `# Long: ...` gives the reason."""
    silent = []
    for name, file in modules().items():
        lines = file.read_text().splitlines()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                body = lines[node.lineno - 1 : node.end_lineno]
                if len(body) > 50 and not any(line.strip().startswith("# Long: ") for line in body):
                    silent.append(f"{name}.{node.name}: {len(body)} lines")
    assert silent == []


def test_only_the_app_knows_streamlit():
    users = [name for name, file in modules().items() if any(module.split(".")[0] == "streamlit" for module in imports_of(file))]
    assert users
    assert all(name.startswith("segviz.ui.") for name in users)


def test_nothing_reaches_outside_the_repository():
    for file in [*modules().values(), ROOT / "app.py", *(ROOT / "pages").glob("*.py")]:
        assert "shared/" not in file.read_text()


SHARED_BY_PAGES = ("kit", "study", "teaching", "viewer", "region", "live")
FOLDER_OF_PAGE = {"attack_lab": "lab", "room": "classroom"}
"""Pages whose folder of the ui has another name."""
SHARED_WITH = {"kit": {"kit", "live"}, "study": {"kit", "study", "live"}, "teaching": {"kit", "teaching", "live"}}
"""What the shared folders take from one another."""


def folders_of_ui(file: Path) -> set[str]:
    """The folders of segviz/ui that a file imports from."""
    return {module.split(".")[2] for module in imports_of(file) if module.startswith("segviz.ui.")}


def test_no_page_takes_anything_from_another_page():
    wrong = []
    for file in sorted((ROOT / "segviz" / "ui").glob("*/**/*.py")):
        own = file.relative_to(ROOT / "segviz" / "ui").parts[0]
        allowed = SHARED_WITH.get(own, {own, *SHARED_BY_PAGES})
        wrong += [f"{own}/{file.name} takes from {other}" for other in sorted(folders_of_ui(file) - allowed)]
    for file in sorted((ROOT / "pages").glob("*.py")):
        own = FOLDER_OF_PAGE.get(file.stem, file.stem)
        wrong += [
            f"pages/{file.name} takes from {other}" for other in sorted(folders_of_ui(file) - {own, "kit", "study", "teaching", "live"})
        ]
    assert wrong == []
