"""What results are written as: rows as CSV, records as JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV with a line of names; what a row lacks, or has as None, stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_of(record: Any) -> str:
    """A record as JSON that people can read."""
    return json.dumps(record, indent=2) + "\n"
