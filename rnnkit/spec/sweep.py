"""Several values for one field: `--set train.epochs=[5, 10]`, where the field takes no array, makes two specs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import attrs

from rnnkit.errors import SpecError, cut
from rnnkit.registry.options import Annotation, array_depth
from rnnkit.spec.overrides import Override, as_texts, read_override
from rnnkit.spec.places import Path, show
from rnnkit.spec.reader import types_in
from rnnkit.spec.writer import inline
from rnnkit.system.limits import MOST_RUNS


@attrs.frozen
class Variant:
    """One of the specs that a sweep makes of one.

    Attributes:
        overrides: `path=value` texts, a value in each.
        label: what tells it from the others, such as `learning_rate=0.001, cell=gru`; empty if it is the only one.
    """

    overrides: tuple[str, ...]
    label: str


def sweep(source: str, name: str = "spec", overrides: Sequence[str] = ()) -> list[Variant]:
    """Every combination of the values that overrides give, the last varying fastest.

    An array is several values where the field takes no array; where it does, an array of arrays is. What the
    field takes may depend on the values before it, as options do on their plugin.

    Args:
        source: of the spec, in TOML.
        name: what stands for it in messages.
        overrides: `path=value` texts, in which values may be several.

    Raises:
        SpecError: the text is not TOML, an array has no value, or there are more combinations than anybody compares.
    """
    overrides = as_texts(overrides)
    given = [read_override(text) for text in overrides]
    grid = [overrides]
    for i, override in enumerate(given):
        replaced = any(override.path[: len(o.path)] == o.path for o in given[i + 1 :])
        if isinstance(override.value, list) and not replaced:
            longer = (
                (*row[:i], text, *row[i + 1 :])
                for row in grid
                for text in _each(row[i], override, types_in(source, name, row).get(override.path))
            )
            grid = list(islice(longer, MOST_RUNS + 1))
            if len(grid) > MOST_RUNS:
                raise SpecError(
                    f"--set {cut(overrides[i])}: that makes more than {MOST_RUNS:,} combinations of values; give fewer"
                )
    varied = [[i for i, text in enumerate(row) if text != overrides[i]] for row in grid]
    names = _short({given[i].path for places in varied for i in places})
    return [
        Variant(row, ", ".join(_label(read_override(row[i]), names) for i in places))
        for row, places in zip(grid, varied, strict=True)
    ]


def _each(text: str, override: Override, want: Annotation | None) -> Iterator[str]:
    """A text for each value that an override gives to a field of this type; itself, if there is no such field."""
    value = override.value
    if want is None or not isinstance(value, list) or _depth(value) <= array_depth(want):
        yield text
        return
    path = show(override.path)
    if not value:
        raise SpecError(f"--set {text}: {path}: the array is empty; give it a value at least")
    yield from (f"{path}={inline(one)}" for one in value)


def _depth(value: object) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _short(paths: set[Path]) -> dict[Path, str]:
    """The end of each path by which it can be told from the others, beginning with a word."""
    ends = {
        path: [path[i:] for i, key in enumerate(path) if isinstance(key, str)] for path in paths
    }
    others = {path: {end for p in paths - {path} for end in ends[p]} for path in paths}
    return {
        path: show(next((end for end in reversed(ends[path]) if end not in others[path]), path))
        for path in paths
    }


def _label(override: Override, names: dict[Path, str]) -> str:
    return f"{names[override.path]}={_said(override.value)}"


def _said(value: object) -> str:
    """A value in the few words of a label: `adam(learning_rate=0.001)`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, dict):
        options = ", ".join(f"{key}={_said(v)}" for key, v in value.items() if key != "use")
        name = str(value.get("use", ""))
        return f"{name}({options})" if options else name
    return inline(value)
