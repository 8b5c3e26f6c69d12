"""With which other settings a run was trained before it was resumed with those that it has now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs

from rnnkit.errors import RnnkitError
from rnnkit.spec import Spec, parse_spec, write_spec
from rnnkit.spec.places import Path as Keys
from rnnkit.spec.places import show
from rnnkit.spec.toml import parse
from rnnkit.spec.writer import inline
from rnnkit.training.folders import earlier_settings


@attrs.frozen
class Stretch:
    """Updates that were done with other settings than those after them.

    Attributes:
        until: the last of them.
        settings: `train.epochs = 2` for each that was another one then.
    """

    until: int
    settings: tuple[str, ...]


def stretches(run: Path, spec: Spec) -> list[Stretch]:
    """Of a run that has this spec now, first to last; none if its settings never changed."""
    earlier = earlier_settings(run)
    values = [_values(text) for _, text in earlier] + [_values(write_spec(spec, qualified=True))]
    found = [
        Stretch(step, tuple(_differences(before, after)))
        for (step, _), before, after in zip(earlier, values, values[1:], strict=False)
    ]
    return [stretch for stretch in found if stretch.settings]


def _values(text: str) -> dict[Keys, object]:
    """Path -> value of a spec with its defaults; as it is, where a plugin of it is not here."""
    with contextlib.suppress(RnnkitError):
        text = write_spec(parse_spec(text))
    return dict(_leaves(parse(text), ()))


def _leaves(value: object, path: Keys) -> Iterator[tuple[Keys, object]]:
    if isinstance(value, dict) and "use" not in value:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif isinstance(value, list) and all(isinstance(v, dict) and "use" not in v for v in value):
        for i, below in enumerate(value):
            yield from _leaves(below, (*path, i))
    else:
        yield path, value


def _differences(before: dict[Keys, object], after: dict[Keys, object]) -> Iterator[str]:
    for path in {**before, **after}:
        if path not in before:
            yield f"without {show(path)}"
        elif path not in after or before[path] != after[path]:
            yield f"{show(path)} = {inline(before[path])}"
