"""Fields: what a setting may be and how it is written, said once for links, widgets, options, the files of studies and messages.

A record of settings is a dataclass whose fields are made by `setting`; `fields_of` is its table. Nothing here loads torch.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from numbers import Integral, Real
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from segviz.types import UserError

EVERYWHERE = ("link", "terminal", "study", "attack")
WORDS: dict[type, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number", tuple: "a list of texts"}
BOOLEANS = {"True": True, "true": True, "False": False, "false": False}
FEW = 12
ROW = "row"


@dataclass(frozen=True)
class Field:
    """One setting: a row of a table of settings.

    `kind` is str, int, float, bool or tuple, also None where it is `optional`. A tuple holds values of the field `item` (by default texts
    of `choices`), at most `most`. `low` and `high` are the least and largest value (`above`: more than `low`), in `unit`. `choices` are
    looked up when they are needed, as catalogues grow; `pattern` is a regular expression of a text, `verify` raises UserError for one that
    means nothing, and `form` says what is allowed. `besides` are values that only the program itself sets: `check` lets them pass,
    nobody can ask for them. `where` it can be asked for: by "link", on the "terminal", at the top of a "study", for one
    "attack" of it.

    In links it is called `link` and on the terminal `option`, by default as the field, there with `metavar` and `help`. On pages the widget
    has the `label` and the explanation `tip`; sliders go in steps of `step` to `usual`, or beyond where the value is; `marks` are usual
    values.
    """

    name: str = ""
    kind: type = str
    default: Any = None
    optional: bool = False
    low: float | None = None
    high: float | None = None
    above: bool = False
    unit: str = ""
    choices: Callable[[], Collection[str]] | None = None
    pattern: str = ""
    verify: Callable[[str], object] | None = None
    item: "Field | None" = None
    most: int | None = None
    form: str = ""
    besides: tuple[Any, ...] = ()
    where: tuple[str, ...] = EVERYWHERE
    link: str = ""
    option: str = ""
    metavar: str | None = None
    help: str = ""
    label: str = ""
    tip: str | None = None
    step: float | None = None
    usual: float | None = None
    marks: tuple[int, ...] = ()

    def check(self, value: Any, name: str = "") -> None:
        """Raise UserError, which names the field (or `name`) and what is allowed, for a value that it cannot have."""
        if not (value in self.besides or self.fits(value)):
            raise self.error(value, name)

    def read(self, value: Any, name: str = "") -> Any:
        """A value of a file or of JSON, where numbers are numbers; raises UserError as `check`, and for what nobody can ask for."""
        if self.kind is tuple and isinstance(value, list):
            value = tuple(value)
        if not self.fits(value):
            raise self.error(value, name)
        if self.verify is not None:
            try:
                self.verify(value)
            except UserError as error:
                raise UserError(f"{name or self.name}: {error}") from None
        return value if value is None else self.kind(value)

    def parse(self, text: str, name: str = "") -> Any:
        """The value that a text of a link or of the terminal means, the inverse of `format`; raises UserError as `read`."""
        if self.kind is tuple:
            return self.read(tuple(dict.fromkeys(self.part.parse(one, name or self.name) for one in parts_of(text))), name)
        try:
            return self.read(self.meaning(text), name)
        except ValueError:
            raise self.error(text, name) from None

    @property
    def parameter(self) -> str:
        """Its name in links and exported files."""
        return self.link or self.name

    @property
    def part(self) -> "Field":
        """What each value of a tuple is."""
        return self.item or Field(self.name, choices=self.choices)

    def meaning(self, text: str) -> Any:
        """The text as a value of the field's kind, of whatever range; raises ValueError where it is none."""
        if self.optional and not text:
            return None
        if self.kind is bool:
            if text not in BOOLEANS:
                raise ValueError(text)
            return BOOLEANS[text]
        return self.kind(text)

    def format(self, value: Any) -> str:
        """The value as text of a link or of the terminal; floats are as short as they can be without a loss."""
        if value is None:
            return ""
        if self.kind is tuple:
            return ",".join(self.part.format(one) for one in value)
        if self.kind is float:
            short = f"{value:g}"
            return short if float(short) == value else repr(float(value))
        return str(value)

    def fits(self, value: Any) -> bool:
        """Whether somebody can ask for this value."""
        if value is None:
            return self.optional
        if self.kind is tuple:
            return isinstance(value, tuple) and len(value) <= (self.most or len(value)) and all(map(self.part.fits, value))
        if self.kind in (int, float):
            number = Integral if self.kind is int else Real
            return isinstance(value, number) and not isinstance(value, bool) and self.in_range(float(value))
        if self.kind is bool:
            return isinstance(value, bool)
        if not isinstance(value, str):
            return False
        return (self.choices is None or value in self.choices()) and (not self.pattern or re.fullmatch(self.pattern, value) is not None)

    def in_range(self, value: float) -> bool:
        """Whether a number lies between `low` and `high`; not a number and infinity never do."""
        return (
            math.isfinite(value)
            and (self.low is None or (self.low < value if self.above else self.low <= value))
            and (self.high is None or value <= self.high)
        )

    def error(self, value: Any, name: str = "") -> UserError:
        """What is wrong with a value, and what is allowed."""
        shown = repr(list(value) if isinstance(value, tuple) else value)
        shown = shown if len(shown) <= 80 else f"{shown[:76]} …{shown[-1]}"
        return UserError(f"{name or self.name} is {shown}; it must be {self.allowed(value)}.")

    def allowed(self, value: Any = None) -> str:
        """What the field may be, in words; of many choices those most like `value`."""
        if self.choices is not None:
            known = list(self.choices())
            if len(known) <= FEW:
                return f"{'a list of' if self.kind is tuple else 'one of'} {', '.join(filter(None, known))}"
            like = get_close_matches(str(value), known, 5, 0.4) or known[:5]
            return f"one of the {len(known)} that are known, such as {', '.join(like)}"
        if self.form:
            return self.form
        if self.kind is tuple and self.most is not None:
            return f"a list of at most {self.most}"
        low, high = (None if end is None else f"{end:.10g}" for end in (self.low, self.high))
        if low is None:
            span = "" if high is None else f" of at most {high}"
        elif self.above:
            span = f" above {low}" + ("" if high is None else f" and at most {high}")
        else:
            span = f" of at least {low}" if high is None else f" between {low} and {high}"
        return WORDS[self.kind] + span + (f", in {self.unit}" if self.unit else "")


T = TypeVar("T")
Table = Mapping[str, Field]
TABLES: dict[type, Table] = {}


def parts_of(text: str) -> list[str]:
    """The parts of a list in a text, each once."""
    return [part for part in dict.fromkeys(text.split(",")) if part]


def setting(default: Any, **facts: Any) -> Any:
    """A field of a dataclass, with its `default` and the facts of its `Field`; name and kind are those of the dataclass."""
    return dataclasses.field(default=default, metadata={ROW: Field(**facts)})


def like(field: Field, default: Any) -> Any:
    """A field of another dataclass that may be what `field` may be, with a default of its own."""
    return dataclasses.field(default=default, metadata={ROW: field})


def fields_of(record: type) -> Table:
    """The table of a dataclass, in its order; a field that is not made by `setting` may be anything of its kind."""
    if record not in TABLES:
        TABLES[record] = MappingProxyType(table_of(record))
    return TABLES[record]


def table_of(record: type) -> dict[str, Field]:
    """What `fields_of` remembers."""
    hints = get_type_hints(record)
    table = {}
    for part in dataclasses.fields(record):
        hint = hints[part.name]
        kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        kind = next(one for one in kinds if one is not NoneType)
        row = part.metadata.get(ROW, Field())
        default = None if part.default is dataclasses.MISSING else part.default
        table[part.name] = replace(row, name=part.name, kind=get_origin(kind) or kind, optional=NoneType in kinds, default=default)
    return table


def parameters(values: Mapping[str, Any], table: Table) -> dict[str, str]:
    """The parameters of a link that says these values by a table of fields; defaults are left out."""
    return {table[name].link or name: table[name].format(value) for name, value in values.items() if value != table[name].default}


def check_all(record: Any) -> None:
    """Raise UserError for the first field of a record of settings that has a value it cannot have."""
    for name, field in fields_of(type(record)).items():
        field.check(getattr(record, name))


def read_record(cls: type[T], values: object, where: str = "") -> T:
    """A record of `cls` from the table `where` of a file; raises UserError that names the key."""
    return cls(**read_values(fields_of(cls), values, where))


def read_values(table: Table, values: object, where: str = "") -> dict[str, Any]:
    """The values by name of the table `where` of a file; raises UserError that names the key."""
    if not isinstance(values, dict):
        raise UserError(f"{where} must be a table.")
    refuse_unknown(values, tuple(table), where)
    prefix = f"{where}." if where else ""
    return {name: table[name].read(value, prefix + name) for name, value in values.items()}


def refuse_unknown(values: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Raise UserError for a key that is not `known`."""
    unknown = [name for name in values if name not in known]
    if unknown:
        raise UserError(f"Unknown key '{unknown[0]}'{f' in {where}' if where else ''}. Known: {', '.join(known)}.")
