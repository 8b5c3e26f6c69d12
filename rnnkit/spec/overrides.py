"""`--set train.epochs=3`: values put over those of the file, before the reader sees any."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any, Final

import attrs

from rnnkit.errors import cut
from rnnkit.spec.origin import Origin, Problem
from rnnkit.spec.places import Path, show
from rnnkit.spec.toml import DEEPEST, parse

_WORD: Final = re.compile(r"[A-Za-z][\w.:/-]*")
"""A value that somebody has written without its quotes."""

_QUOTES: Final = (
    "write strings in arrays and tables in double quotes, and for the shell all of it in single quotes: "
    '--set \'PATH=["gru", "lstm"]\''
)


@attrs.frozen
class Override:
    """A `path=value`, taken apart.

    Attributes:
        path: where the value goes; one that no table has if the text names none.
        value: to go there.
        problem: why it cannot be used, if it cannot.
    """

    path: Path
    value: object = None
    problem: str | None = None


def as_texts(overrides: str | Iterable[str]) -> tuple[str, ...]:
    """Each `path=value` of several, or the one."""
    return (overrides,) if isinstance(overrides, str) else tuple(overrides)


def read_override(text: str) -> Override:
    """Take a `path=value` apart.

    The value is TOML; what is not, is a string, so that `cell=gru` needs no quotes. Elements of arrays
    are `model.rnn[0].hidden` or `model.rnn.0.hidden`.
    """
    name, equals, written = text.partition("=")
    path = _path(name)
    if not equals or not path:
        return Override(("", cut(text)), problem="expected path=value, as in train.epochs=3")
    written = written.strip()
    try:
        return Override(path, parse(f"value = {written}")["value"])
    except tomllib.TOMLDecodeError as e:
        if written.startswith(("[", "{")):
            return Override(path, problem=f"{not_toml(e, f'value = {written}')}; {_QUOTES}")
    return Override(path, written)


def not_toml(error: tomllib.TOMLDecodeError, source: str) -> str:
    """What is wrong with a text, without the place that it has there, and how to mend what people often write."""
    what, _, place = str(error).partition(" (at ")
    numbers = [int(n) for n in re.findall(r"\d+", place)]
    word = None
    if len(numbers) == 2:
        line, column = numbers
        word = _WORD.match(source.split("\n")[line - 1], column - 1)
    hint = _hint(word[0]) if word else ""
    return f"not valid TOML: {what}{hint}"


def _hint(word: str) -> str:
    """What to write for a word that stands as a value, without quotes."""
    if word.lower() in ("true", "false"):
        return f"; write {word.lower()}"
    if word in ("None", "null", "nil"):
        return "; leave the key out"
    return f'; text has quotes: write "{word}"'


def apply_overrides(
    tree: dict[str, Any], overrides: Iterable[str], origin: Origin
) -> tuple[Origin, list[Problem]]:
    """Put the value of each `path=value` into the tree, in order.

    A plugin given by its name alone gains options, as in `train.optimizer.learning_rate=1e-4`.

    Returns:
        The origin that knows about them, and what was wrong with any.
    """
    problems: list[Problem] = []
    for text in overrides:
        override = read_override(text)
        origin = origin.overridden(override.path, f"--set {cut(text)}")
        wrong = override.problem or _put(tree, override.path, override.value)
        if wrong:
            problems.append(Problem(override.path, wrong))
    return origin, problems


def _path(name: str) -> Path:
    keys = re.sub(r"\[(\d+)\]", r".\1", name.strip()).split(".")
    if not all(keys) or len(keys) > DEEPEST:
        return ()
    return tuple(int(k) if re.fullmatch("[0-9]{1,9}", k) else k for k in keys)


def _put(tree: dict[str, Any], path: Path, value: object) -> str | None:
    """Set the value at a path; returns what is wrong, if anything."""
    node: Any = tree
    for at, (key, below) in enumerate(zip(path, (*path[1:], None), strict=True)):
        if isinstance(key, int):
            if not isinstance(node, list):
                return f"it has no element {key}, as it is not an array"
            if key >= len(node):
                return f"there is no element {key}: the array has {len(node)}"
        elif isinstance(node, list) and node:
            before, after = show(path[:at]), show(path[at:])
            choices = [f"{before}[{i}].{after}" for i in range(len(node))]
            return f"{before} is an array, counted from 0; write {' or '.join(choices)}"
        elif not isinstance(node, dict):
            return f"{key!r} cannot be set: the value above it is not a table"
        if below is None:
            node[key] = value
            return None
        child = node[key] if isinstance(key, int) else node.setdefault(key, {})
        if isinstance(child, str) and isinstance(below, str):
            child = {"use": child}
        elif isinstance(child, str | dict) and below == 0:
            child = [child]
        node[key] = child
        node = child
    return None
