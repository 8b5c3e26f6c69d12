"""A plugin with options that take arrays, which no built-in has."""

from __future__ import annotations

import attrs
import pytest

from rnnkit import registry
from rnnkit.kinds import Initializer, Plugin, Progress, Schedule


@attrs.frozen
class Jumps(Schedule):
    """A schedule; its first two options may be arrays."""

    steps: tuple[int, ...] | None = None
    inits: Initializer | tuple[Initializer, ...] = ()
    rate: float | None = None

    def factor(self, at: Progress) -> float:
        return 1.0


def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package had registered it as `jumps`."""

    def load(kind: type[Plugin], name: str) -> type[Plugin]:
        return Jumps if name == "jumps" else registry.load(kind, name)

    monkeypatch.setattr("rnnkit.spec.reader.load", load)
