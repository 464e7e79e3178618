"""What decides the numbers that models give, as a text: it changes whenever one of them may give others."""

from collections.abc import Iterable
from pathlib import Path

from segviz.models.configuration import changes, configuration_file, read_tables
from segviz.models.zoo import catalogue, configured

ELSEWHERE = ("hf:", "smp:")
"""Begin the keys of models whose weights somebody else may change."""


def stamp(texts: Iterable[str]) -> str | None:
    """The stamp of all models of the catalogue; None if one of the texts is the key of a model that is not in it."""
    if any(text.startswith(ELSEWHERE) or ".py:" in text for text in texts):
        return None
    facts: list[object] = [
        (entry.key, entry.title, entry.sha256, entry.url, entry.working_size, file_facts(entry.file)) for entry in catalogue().values()
    ]
    file = configuration_file()
    if configured().entries:
        facts += [(key, changes(table, file)) for key, table in read_tables(file, file.stat().st_mtime_ns).items()]
    return repr(facts)


def file_facts(file: Path | None) -> tuple[int, int] | None:
    """Size and time of change of a file, None where there is none."""
    if file is None or not file.is_file():
        return None
    found = file.stat()
    return found.st_size, found.st_mtime_ns
