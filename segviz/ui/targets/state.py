"""What the page of target maps shows and runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from segviz.data.label_sets import LabelSet
from segviz.models.zoo import model_entry
from segviz.records import Picture
from segviz.studies.runs import run_morph
from segviz.studies.target_maps import TargetMap
from segviz.studies.targets import Victim
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_view, queue
from segviz.ui.kit.state import asked_by_link, page_state
from segviz.ui.targets.controls import DEFAULT_WISH, MorphWish, fill_preset, identity_of

PAGE = "pages/targets.py"
MADE = "precomputed"
"""The run that ships with the project."""

Size = tuple[int, int] | None


@dataclass(frozen=True)
class MorphShown:
    """What is on screen: the pictures as they stand, the wish that led there, the size of its target map, the identity of the run."""

    victims: tuple[Victim, ...]
    wish: MorphWish
    size: Size
    run: str

    @property
    def look(self) -> bool:
        """Whether nothing has been attacked."""
        return self.wish.settings.steps == 0

    @property
    def label_set(self) -> LabelSet:
        """The label set of the model."""
        return model_entry(self.wish.settings.model).label_set


@dataclass
class Morph(Running[tuple[Victim, ...]]):
    """`queued` are the wish of the newest run and the size of its target map, `seen` the identity of what was looked at last."""

    shown: MorphShown | None = None
    queued: tuple[MorphWish, Size] | None = None
    seen: tuple[object, ...] | None = None

    @property
    def ran(self) -> bool:
        """Whether the newest run was more than a look."""
        return self.queued is not None and self.queued[0].settings.steps > 0

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is not None and not self.active and self.job.latest is not None and self.queued is not None:
            self.shown = MorphShown(self.job.latest, *self.queued, self.job.id)


def morphing() -> Morph:
    """The record of this tab."""
    return page_state(Morph, lambda: Morph(asked=asked_by_link(PAGE, "victims")))


def choose_preset(key: str) -> None:
    """Put a preset into the widgets and have it run; for the click of a button."""
    fill_preset(key)
    morphing().asked = True


def look_of(wish: MorphWish) -> MorphWish:
    """The wish to look only."""
    return replace(wish, settings=replace(wish.settings, steps=0))


def size_of(target: TargetMap | None) -> Size:
    """The size that a target map comes in."""
    return None if target is None else target.size


def show_at_once(state: Morph, wish: MorphWish, target: TargetMap | None, pictures: Sequence[Picture]) -> None:
    """On the first visit, show what ships with the project, or other pictures before any model has looked at them."""
    if state.shown is not None:
        return
    if wish == DEFAULT_WISH and not state.asked:
        state.shown, state.seen = MorphShown(first_view("targets"), wish, size_of(target), MADE), identity_of(wish, pictures, target)
    else:
        state.shown = MorphShown(tuple(map(Victim, pictures)), look_of(wish), None, "")


def run_morph_of(state: Morph, wish: MorphWish, target: TargetMap | None, pictures: Sequence[Picture]) -> None:
    """Queue a run or, with no steps, a look, and remember what it is of."""
    state.job = queue(run_morph, wish.settings, target, pictures)
    state.queued, state.seen = (wish, size_of(target)), identity_of(wish, pictures, target)


def look_if_others(state: Morph, wish: MorphWish, target: TargetMap | None, pictures: Sequence[Picture]) -> None:
    """Queue a look if pictures, target or model are not those that were looked at last."""
    if identity_of(wish, pictures, target) != state.seen:
        run_morph_of(state, look_of(wish), target, pictures)
