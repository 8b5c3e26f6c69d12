"""Where the values of a spec were written, and errors that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from rnnkit.errors import SpecError
from rnnkit.spec.places import Path, show

TOLD: Final = 50
"""Problems that an error tells at most."""


@attrs.frozen
class Place:
    """A place to name in a message; places sort in the order in which a person meets them."""

    label: str
    order: int


@attrs.frozen
class Problem:
    """What is wrong with the value at a path."""

    path: Path
    text: str


@attrs.frozen
class Origin:
    """Path -> place, for the paths that were written down; a spec made in Python has none."""

    places: Mapping[Path, Place] = attrs.field(factory=lambda: {(): Place("spec", 0)})

    def place(self, path: Path) -> Place:
        """The place of a path; else of the first thing in it that was written down, or the nearest around it."""
        if path not in self.places:
            inside = [at for p, at in self.places.items() if p[: len(path)] == path]
            if inside:
                return min(inside, key=lambda at: at.order)
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def overridden(self, path: Path, label: str) -> Origin:
        """The origin after the value at `path` was replaced from somewhere else."""
        kept = {p: at for p, at in self.places.items() if p[: len(path)] != path}
        order = 1 + max(at.order for at in self.places.values())
        return Origin({**kept, path: Place(label, order)})

    def error(self, problems: Iterable[Problem]) -> SpecError:
        """One exception for all problems, a line each, in the order of their places."""
        rows = sorted((self.place(p.path).order, i, p) for i, p in enumerate(problems))
        lines = [
            f"{self.place(p.path).label}: {show(p.path) or 'spec'}: {p.text}"
            for _, _, p in rows[:TOLD]
        ]
        more = len(rows) - TOLD
        return SpecError("\n".join([*lines, *([f"and {more:,} more"] if more > 0 else [])]))
