"""Contracts of the kinds that have no gradient: what any optimizer, schedule, initializer or decoder must do."""

from __future__ import annotations

from collections.abc import Iterator

from rnnkit.kinds import Plugin
from rnnkit.testing.contracts.contract import Contract

__all__ = ["Contract", "contracts_of"]


def contracts_of(plugin: Plugin) -> Iterator[Contract]:
    """The contracts of a plugin; none for kinds with a gradient."""
    yield from ()
