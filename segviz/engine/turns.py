"""Whose turn it is: equal time for every user, and something to see for a newcomer at once."""

from collections import OrderedDict


class Turns:
    """The runs under way, and the time that each owner has had of the device.

    The owner who has had least is served next, and of his runs the one that waited longest, so that a user's share grows neither with the
    cost of a step nor with the number of runs. The first step of a run comes before all others', one new run of an owner at a time. Who
    comes (again) starts level with the one who has had least.
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[str, str] = OrderedDict()
        """Run to owner, the run that waited longest first."""
        self._new: list[str] = []
        self._had: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, run: str, owner: str) -> None:
        """A new run of an owner."""
        self._enter(owner)
        self._owners[run] = owner
        self._new.append(run)

    def assign(self, run: str, owner: str) -> None:
        """From now on the run counts for another owner."""
        if run in self._owners:
            self._enter(owner)
            self._owners[run] = owner
            self._forget()

    def remove(self, run: str) -> None:
        """The run has ended."""
        self._owners.pop(run, None)
        if run in self._new:
            self._new.remove(run)
        self._forget()

    def next(self) -> str:
        """The run to advance by a step; there must be one."""
        begun = {owner for run, owner in self._owners.items() if run not in self._new}
        first = next((run for run in self._new if self._owners[run] not in begun), None)
        if first is not None:
            return first
        least = min(self._owners.values(), key=self._had.__getitem__)
        return next(run for run, owner in self._owners.items() if owner == least)

    def charge(self, run: str, seconds: float) -> None:
        """The run has had a step that took so long."""
        if run in self._new:
            self._new.remove(run)
        if run in self._owners:
            self._owners.move_to_end(run)
            self._had[self._owners[run]] += seconds

    def _enter(self, owner: str) -> None:
        if owner not in self._had:
            self._had[owner] = min(self._had.values(), default=0.0)

    def _forget(self) -> None:
        here = set(self._owners.values())
        self._had = {owner: had for owner, had in self._had.items() if owner in here}
