"""Calls at the same time do not meet: the engine runs parts of a batch on threads.

Threads meet by chance. So here one call is stopped before every line of the plugin's own files, and another runs
from its beginning to its end in between: what the first one computes may not change.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from rnnkit.kinds import Plugin
from rnnkit.testing.constants import own_classes
from rnnkit.testing.example import Broken, Example, Leaves, copied, equal_bits
from rnnkit.testing.laws.memory import elsewhere


@contextmanager
def at_every_line(files: frozenset[str], run: Callable[[], object]) -> Iterator[None]:
    """Call `run` before every line of these files that this thread comes to."""

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            run()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def calls_do_not_meet(cls: type[Plugin]) -> Callable[[Example], None]:
    """The law for a plugin class."""
    files = frozenset(filter(None, (_file(base) for base in own_classes(cls))))

    def law(example: Example) -> None:
        cotangents: dict[str, Any] = {}

        def run(leaves: Leaves) -> dict[str, Any]:
            outputs, cache = example.forward(copied(leaves))
            if not cotangents:
                cotangents.update({k: np.ones_like(y) for k, y in outputs.items()})
            kept = {f"output {k!r}": np.array(y) for k, y in outputs.items()}
            back = example.backward(copied(leaves), copied(cotangents), cache)
            return kept | {f"gradient of {k!r}": np.array(g) for k, g in back.items()}

        alone = run(example.leaves)
        with at_every_line(files, lambda: run(elsewhere(example))):
            among = run(example.leaves)
        for what, a in alone.items():
            if not equal_bits(a, among[what]):
                raise Broken(
                    "threads",
                    f"{what} is another when two calls run at the same time: keep nothing on the module, "
                    "the class or the instance, not even for a moment",
                )

    return law


def _file(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return None
