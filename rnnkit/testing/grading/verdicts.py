"""What came of a submission: points for each task, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs


@attrs.frozen
class Part:
    """The values of a task, or its gradients.

    Attributes:
        points: that it is worth.
        right: whether they are given.
        text: why not.
        patterns: of what is wrong, in a few words each.
    """

    points: float
    right: bool = False
    text: str = ""
    patterns: tuple[str, ...] = ()

    @property
    def earned(self) -> float:
        """Points that are given."""
        return self.points if self.right else 0.0


@attrs.frozen
class Outcome:
    """What came of a task.

    Attributes:
        name: of the task.
        show: what the student sees of it.
        value: of the values.
        gradient: of the gradients; None if none are asked for.
        explanation: what gradcheck says of it.
        alike: a digest of what it computes, if that is wrong, at inputs that are the same for all.
    """

    name: str
    show: str
    value: Part
    gradient: Part | None
    explanation: str = ""
    alike: str = ""

    @property
    def parts(self) -> dict[str, Part]:
        """Those that there are."""
        return {"values": self.value, **({"gradients": self.gradient} if self.gradient else {})}

    @property
    def earned(self) -> float:
        """Points that are given."""
        return sum(part.earned for part in self.parts.values())

    @property
    def points(self) -> float:
        """Points that can be had."""
        return sum(part.points for part in self.parts.values())


@attrs.frozen
class Verdict:
    """What came of a submission.

    Attributes:
        name: of the student.
        key: digest of all that it follows from.
        outcomes: of the tasks.
        notes: on all of it.
        printed: the beginning of what it printed.
        locked: what its process could not do.
        seconds: that it took.
    """

    name: str
    key: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    printed: str = ""
    locked: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def earned(self) -> float:
        """Points that are given."""
        return sum(outcome.earned for outcome in self.outcomes)

    @property
    def points(self) -> float:
        """Points that can be had."""
        return sum(outcome.points for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """What JSON can say."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """The same back.

        Raises:
            Exception: it is something else.
        """
        outcomes = tuple(_outcome(o) for o in tree["outcomes"])
        lists = {k: tuple(tree[k]) for k in ("notes", "locked")}
        return cls(**{**tree, **lists, "outcomes": outcomes})


def _outcome(tree: Mapping[str, Any]) -> Outcome:
    parts = {k: tree[k] and _part(tree[k]) for k in ("value", "gradient")}
    return Outcome(**{**tree, **parts})


def _part(tree: Mapping[str, Any]) -> Part:
    return Part(**{**tree, "patterns": tuple(tree["patterns"])})
