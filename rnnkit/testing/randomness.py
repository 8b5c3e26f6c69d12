"""Where random numbers come from: from the generator that is given, and from nowhere else."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.random import default_rng

from rnnkit.kinds import Plugin
from rnnkit.testing.choices import options
from rnnkit.testing.constants import constants, own_classes

OURS: Final = str(Path(__file__).parents[1])
"""Where rnnkit is: what it draws itself, no plugin draws."""


@contextmanager
def watched(plugin: Plugin) -> Iterator[list[str]]:
    """A list that holds, after the block, a sentence for each source of randomness that was not given.

    A generator that is seeded with what was drawn from the one given is not its own: its seed is no constant of
    the code and no option.
    """
    said: list[str] = []
    own = {None, *constants(type(plugin)), *_plain_options(plugin)}

    def made(*args: Any, **options: Any) -> np.random.Generator:
        frame = sys._getframe(1)
        seed = args[0] if args else options.get("seed")
        if not frame.f_code.co_filename.startswith(OURS) and _hashable(seed) and seed in own:
            said.append(
                f"it makes a generator of its own, default_rng({'' if seed is None else seed}) "
                f"[{frame.f_code.co_filename}:{frame.f_lineno}]: take numbers from the `rng` that is given"
            )
        return default_rng(*args, **options)

    before = shared_states()
    places = [np.random, *(sys.modules.get(base.__module__) for base in own_classes(type(plugin)))]
    put = [(place, name) for place in places for name in _names(place)]
    for place, name in put:
        setattr(place, name, made)
    try:
        yield said
    finally:
        for place, name in put:
            setattr(place, name, default_rng)
        for source, now, then in zip(("np.random", "random"), shared_states(), before, strict=True):
            if now != then:
                said.append(
                    f"it draws from {source}, which all code shares: take numbers from the `rng` that is given"
                )


def _names(place: object) -> list[str]:
    return [name for name, value in vars(place).items() if value is default_rng]


def shared_states() -> tuple[object, object]:
    """The states of the generators that all code shares, np.random's and random's: they change with each draw."""
    kind, key, *rest = np.random.get_state()  # noqa: NPY002
    return (kind, np.asarray(key).tobytes(), *rest), random.getstate()


def _plain_options(plugin: Plugin) -> Iterator[object]:
    values = (getattr(plugin, field.name) for field in options(type(plugin)))
    yield from (value for value in values if type(value) is int)


def _hashable(value: object) -> bool:
    return value.__hash__ is not None
