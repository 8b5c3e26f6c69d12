"""Checkpoints of a run: written, found again, and taken apart."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final

import attrs

from rnnkit.errors import CheckpointError, quoted
from rnnkit.kinds import Array
from rnnkit.network.checkpoint import BEST, LAST, PREVIOUS, Kept, read_model_file, save_model
from rnnkit.system.json_text import json_value
from rnnkit.training.divergence import check_finite
from rnnkit.training.folders import SPEC
from rnnkit.training.history import RECORDS, write_history
from rnnkit.training.place import Place
from rnnkit.training.trainer import Trainer

_AVERAGE: Final = "average"
"""Stands for a parameter, whose slots are the averages of all."""


@attrs.define
class Saver:
    """Writes the checkpoints of a run, and its history.

    Attributes:
        saved: updates done when it was last saved.
    """

    _trainer: Trainer
    _folder: Path
    _kept: Kept | None
    saved: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.saved = self._trainer.step

    def save(self, slots: Mapping[str, Mapping[str, Array]], best: bool = False) -> None:
        """Write a checkpoint, keeping the one before, and the history; the best model, if it is that.

        Raises:
            Diverged: something of it is not finite; then nothing is written.
        """
        trainer, folder = self._trainer, self._folder
        check_finite(trainer.model.parameters, slots, trainer.averages, trainer.step)
        if best:
            save_model(trainer.judged, folder / BEST)
        kept = {**slots, _AVERAGE: trainer.averages}
        extra = {f"{name}:{slot}": a for name, own in kept.items() for slot, a in own.items()}
        note = json.dumps(attrs.asdict(trainer.place))
        # A damaged checkpoint must not take the place of the one that the run goes on from.
        from_previous = self._kept is not None and self._kept.file.name == PREVIOUS
        previous = None if from_previous else folder / PREVIOUS
        save_model(trainer.model, folder / LAST, note, extra, previous=previous)
        write_history(trainer.history, folder)
        self._kept, self.saved = None, trainer.step


def never_saved(folder: Path) -> bool:
    """Whether a run was ended before its first checkpoint: in its folder is its spec, and at most the best model, which
    is written before the checkpoint and the history.
    """
    there = {name for name in (SPEC, LAST, PREVIOUS, BEST, RECORDS) if (folder / name).exists()}
    return SPEC in there and there.isdisjoint((LAST, PREVIOUS)) and not {BEST, RECORDS} <= there


def last_of(folder: Path, on_damage: Callable[[str], None]) -> Kept | None:
    """The newest checkpoint of a run that is whole; None if the run was ended before its first one."""
    files = [folder / name for name in (LAST, PREVIOUS) if (folder / name).exists()]
    if never_saved(folder):
        return None
    if not files:
        raise CheckpointError(f"{folder} has no checkpoint to resume from; train its spec again")
    try:
        return read_model_file(files[0])
    except CheckpointError as e:
        if len(files) == 1:
            raise
        kept = read_model_file(files[1])
        on_damage(f"{e}\nresuming from {kept.file}")
        return kept


def saved_state(
    kept: Kept,
) -> tuple[Place, Mapping[str, Mapping[str, Array]], Mapping[str, Array]]:
    """The place of a checkpoint, the optimizer's slots by parameter, and the averages."""
    if not kept.note:
        raise CheckpointError(
            f"{kept.file}: a model file without training state: it cannot be resumed"
        )
    slots: dict[str, dict[str, Array]] = {}
    for key, a in kept.extra.items():
        name, _, slot = key.rpartition(":")
        slots.setdefault(name, {})[slot] = a
    averages = slots.pop(_AVERAGE, {})
    try:
        return _structured(Place, json_value(kept.note), "note"), slots, averages
    except (ValueError, TypeError, KeyError) as e:
        raise CheckpointError(f"{kept.file}: not a checkpoint of this rnnkit ({e})") from e


def _structured(kind: type[Any], value: Any, name: str) -> Any:
    """The value of `attrs.asdict`, after JSON, as what it was; it stands under this name.

    Raises:
        ValueError: it has other parts.
    """
    if not isinstance(value, dict):
        raise ValueError(f"its {name} is {quoted(value)}, and must be a table")
    hints = typing.get_type_hints(kind)
    needed = [field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING]
    if lacking := [part for part in needed if part not in value]:
        raise ValueError(f"its {name} has no {lacking[0]!r}")
    if strange := [part for part in value if part not in hints]:
        raise ValueError(f"its {name} has {quoted(strange[0])}, which is no part of it")
    return kind(**{part: _one(hints[part], given, part) for part, given in value.items()})


def _one(hint: Any, given: Any, name: str) -> Any:
    if isinstance(hint, UnionType):
        hint = next(member for member in typing.get_args(hint) if member is not NoneType)
        return None if given is None else _one(hint, given, name)
    if attrs.has(hint):
        return _structured(hint, given, name)
    if typing.get_origin(hint) is tuple:
        if not isinstance(given, list):
            raise ValueError(f"its {name} is {quoted(given)}, and must be a list")
        item, _ = typing.get_args(hint)
        return tuple(_one(item, each, name) for each in given)
    return given
