"""The assignment's functions with one mistake each: the check names the leaf and the reason."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.testing import check

SOURCE = (Path(__file__).parent / "coursework" / "rnn_layers.py").read_text(encoding="utf-8")
FILES = count()
N, T, D, H, V = 3, 4, 5, 4, 6


def written(name: str, *changes: tuple[str, str], source: str = SOURCE) -> list[Callable[..., Any]]:
    """The functions of that name as students would write them, with some text changed.

    The source can be looked up, as that of a file or of a notebook's cell.
    """
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    file = f"<coursework {next(FILES)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module: dict[str, Any] = {}
    exec(compile(source, file, "exec"), module)
    if name.endswith("loss"):
        return [module[name]]
    return [module[f"{name}_forward"], module[f"{name}_backward"]]


def arguments(name: str, n: int = N, h: int = H) -> dict[str, Any]:
    """What to call the functions of that name with."""
    draw = np.random.default_rng(0).standard_normal
    if name == "word_embedding":
        return {"x": np.array([[0, 3, 1, 2], [2, 1, 0, 3], [3, 3, 5, 1]]), "W": draw((V, D))}
    if name == "temporal_affine":
        return {"x": draw((n, T, D)), "w": draw((D, h)), "b": draw(h)}
    if name == "temporal_softmax_loss":
        mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
        return {"x": draw((N, T, V)), "y": np.arange(N * T).reshape(N, T) % V, "mask": mask}
    wide = 4 * h if "lstm" in name else h
    weights = {"Wx": draw((D, wide)), "Wh": draw((h, wide)), "b": draw(wide)}
    if not name.endswith("step"):
        few = {k: w[..., : 8 if "lstm" in name else 2] for k, w in weights.items()}
        few["Wx"], few["Wh"] = few["Wx"][:3], few["Wh"][:2]
        return {"x": draw((2, T, 3)), "h0": draw((2, 2)), **few}
    state = {"prev_h": draw((n, h))} | ({"prev_c": draw((n, h))} if "lstm" in name else {})
    return {"x": draw((n, D)), **state, **weights}


def told(name: str, *changes: tuple[str, str], n: int = N) -> list[str]:
    """The lines of what is said of a mistake."""
    with pytest.raises(AssertionError) as caught:
        check(*written(name, *changes), **arguments(name, n))
    return str(caught.value).splitlines()


def reasons(lines: list[str]) -> dict[str, str]:
    """The reason that is given for each leaf that is wrong."""
    found = [
        re.match(r"  (\w+) +WRONG.*?are wrong\)(?:; gates [^;]*)?(?:; (.*))?$", s) for s in lines
    ]
    return {m[1]: m[2] or "" for m in found if m}


NAMES = (
    "rnn_step",
    "rnn",
    "lstm_step",
    "lstm",
    "word_embedding",
    "temporal_affine",
    "temporal_softmax_loss",
)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_passes_and_no_error_is_exactly_0(name: str) -> None:
    assert 0.0 < check(*written(name), **arguments(name)) < 1e-10


STEP = "it follows from what is wrong in b, and is right once that is"
PATH = "right for what comes from step 0 alone: the way from a step back to the one before is"

MISTAKES: list[tuple[str, str, str, dict[str, str]]] = []


@pytest.mark.parametrize(("name", "old", "new", "want"), MISTAKES)
def test_a_mistake_is_found_with_its_leaf_and_its_reason(
    name: str, old: str, new: str, want: dict[str, str]
) -> None:
    assert reasons(told(name, (old, new))) == want
