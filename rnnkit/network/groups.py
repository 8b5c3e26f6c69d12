"""`[[train.group]]`: which parameters each group means, and how each parameter learns in an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from rnnkit.errors import closest, quoted
from rnnkit.kinds import Optimizer
from rnnkit.registry.labels import name_of
from rnnkit.registry.options import option_types
from rnnkit.spec import GroupTable, TrainTable
from rnnkit.spec.places import Path

KEYS: Final = ("frozen", "learning_rate", "weight_decay")
"""What a group may say."""


@attrs.frozen
class Way:
    """How a parameter learns.

    Attributes:
        optimizer: its update rule.
        factor: on the learning rate, besides the schedule's.
    """

    optimizer: Optimizer[Any]
    factor: float = 1.0


def ways(table: TrainTable, names: Sequence[str], epoch: int) -> dict[str, Way]:
    """How each of these parameters learns in an epoch, from 1; frozen ones are not there."""
    found = {}
    for name in names:
        said: dict[str, Any] = {}
        for group in table.group:
            if _holds(group, epoch) and any(fnmatchcase(name, p) for p in _patterns(group)):
                said |= {key: v for key in KEYS if (v := getattr(group, key)) is not None}
        if not said.get("frozen"):
            optimizer = _decaying(table.optimizer, said.get("weight_decay"))
            found[name] = Way(optimizer, said.get("learning_rate", 1.0))
    return found


def misfits(table: TrainTable, names: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the groups for a network of these parameters: place and text."""
    for i, group in enumerate(table.group):
        path: Path = ("train", "group", i)
        for pattern in _patterns(group):
            if not any(fnmatchcase(name, pattern) for name in names):
                hint = closest(pattern, _useful(names))
                yield (*path, "parts"), f"no parameter has a name like {quoted(pattern)}; {hint}"
        if all(getattr(group, key) is None for key in KEYS):
            yield path, f"the group changes nothing: give it {', '.join(KEYS[:-1])} or {KEYS[-1]}"
        if group.since and group.until and group.since > group.until:
            text = f"the group begins in epoch {group.since}, after its end in {group.until}"
            yield (*path, "until"), text
        if group.weight_decay is not None:
            try:
                _decaying(table.optimizer, group.weight_decay)
            except (TypeError, ValueError) as e:
                yield (*path, "weight_decay"), str(e)
                return
    begins = {1, *(g.since or 1 for g in table.group), *((g.until or 0) + 1 for g in table.group)}
    for epoch in sorted(e for e in begins if e <= table.epochs):
        if names and not ways(table, names, epoch):
            yield ("train", "group"), f"in epoch {epoch} all parameters are frozen: nothing learns"
            return


def _decaying(optimizer: Optimizer[Any], weight_decay: float | None) -> Optimizer[Any]:
    """The optimizer with another weight decay.

    Raises:
        ValueError: it has none.
    """
    if weight_decay is None:
        return optimizer
    if "weight_decay" not in option_types(type(optimizer)):
        raise ValueError(
            f"the optimizer {name_of(optimizer)} has no weight_decay; take another one"
        )
    other: Optimizer[Any] = attrs.evolve(optimizer, weight_decay=weight_decay)  # type: ignore[misc]  # all plugins are attrs classes
    return other


def _holds(group: GroupTable, epoch: int) -> bool:
    return (group.since or 1) <= epoch and (group.until is None or epoch <= group.until)


def _patterns(group: GroupTable) -> tuple[str, ...]:
    return (group.parts,) if isinstance(group.parts, str) else group.parts


def _useful(names: Sequence[str]) -> set[str]:
    """The names, and a pattern for each part of the network."""
    parts = {".".join(name.split(".")[:k]) for name in names for k in range(1, name.count(".") + 1)}
    return {*names, *(f"{part}.*" for part in parts)}
