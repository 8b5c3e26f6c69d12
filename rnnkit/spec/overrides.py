"""`--set train.epochs=3`: values put over those of the file, before the reader sees any."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from rnnkit.spec.origin import Origin, Problem
from rnnkit.spec.places import Path


def apply_overrides(
    tree: dict[str, Any], overrides: Iterable[str], origin: Origin
) -> tuple[Origin, list[Problem]]:
    """Put each `path=value` into the tree, in order.

    The value is TOML; what is not, is a string, so that `cell=gru` needs no quotes. Elements of arrays
    are `model.rnn[0].hidden` or `model.rnn.0.hidden`. A plugin given by its name alone gains options, as
    in `train.optimizer.learning_rate=1e-4`.

    Returns:
        The origin that knows about them, and what was wrong with any.
    """
    problems: list[Problem] = []
    for override in overrides:
        label = f"--set {override}"
        name, equals, text = override.partition("=")
        path = _path(name)
        if not equals or not path:
            nowhere = ("", override)  # a path of its own, that no table has
            origin = origin.overridden(nowhere, label)
            problems.append(Problem(nowhere, "expected path=value, as in train.epochs=3"))
            continue
        origin = origin.overridden(path, label)
        wrong = _put(tree, path, _value(text.strip()))
        if wrong:
            problems.append(Problem(path, wrong))
    return origin, problems


def _path(name: str) -> Path:
    keys = re.sub(r"\[(\d+)\]", r".\1", name.strip()).split(".")
    return tuple(int(k) if k.isdigit() else k for k in keys) if all(keys) else ()


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(tree: dict[str, Any], path: Path, value: object) -> str | None:
    """Set the value at a path; returns what is wrong, if anything."""
    node: Any = tree
    for key, below in zip(path, (*path[1:], None), strict=True):
        if isinstance(key, int):
            if not isinstance(node, list):
                return f"there is no array to take element {key} of"
            if key >= len(node):
                return f"there is no element {key}: the array has {len(node)}"
        elif not isinstance(node, dict):
            return f"{key!r} cannot be set below a value that is no table"
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
