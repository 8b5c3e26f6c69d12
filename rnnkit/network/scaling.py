"""A spec made wider or narrower, until its network has as many parameters as another."""

from __future__ import annotations

from functools import cache
from typing import Final

import attrs

from rnnkit.errors import SpecError
from rnnkit.network.builder import assemble
from rnnkit.network.sizes import Sizes
from rnnkit.spec import Problem, Spec
from rnnkit.system.memory import memory, size

_ABOUT: Final = 0.1
"""How far from the number wanted the nearest may be, as a part of it."""

_TRIED: Final = 64
"""Hidden sizes tried in a row where a plugin does not take each."""


_SMALLEST: Final = 4
"""Bytes of a parameter, at least."""


def parameters_of(spec: Spec, sizes: Sizes) -> int:
    """The number of parameters of the network of a spec.

    Raises:
        SpecError: its parts do not fit each other.
    """
    return assemble(spec, sizes).size


def scaled_to(spec: Spec, wanted: int, sizes: Sizes) -> Spec:
    """The spec with the hidden sizes at which its network has as nearly as can be so many parameters.

    The hidden sizes H_i of a stack keep their proportions: they become max(1, round(k H_i / max H)), for the k whose
    network is nearest. Parameters grow with k, so that halving finds it. A k that some plugin does not take is passed
    over.

    Args:
        spec: whose hidden sizes are replaced, and nothing else.
        wanted: number of parameters.
        sizes: of the data.

    Raises:
        SpecError: the spec's parts do not fit each other, at any size; the nearest number is more than 10 % off; or so
            many parameters are more than there is memory for.
    """
    room = memory()
    if wanted * _SMALLEST > room:
        raise spec.origin.error(
            [
                Problem(
                    ("model", "rnn"),
                    f"{wanted:,} parameters take {size(wanted * _SMALLEST)}, but the memory of this machine is {size(room)}; "
                    "ask for fewer",
                )
            ]
        )
    widest = max(level.hidden for level in spec.model.rnn)

    def at(k: int) -> Spec:
        rnn = tuple(
            attrs.evolve(level, hidden=max(1, round(k * level.hidden / widest)))
            for level in spec.model.rnn
        )
        return attrs.evolve(spec, model=attrs.evolve(spec.model, rnn=rnn))

    @cache
    def found(k: int) -> tuple[int, Spec]:
        """The parameters at the first size from here on that fits, with its spec."""
        first: SpecError | None = None
        for hidden in range(k, k + _TRIED):
            try:
                return parameters_of(at(hidden), sizes), at(hidden)
            except SpecError as e:
                first = first or e
        assert first is not None
        raise first

    # Too few parameters at `low`, if that is not 0; enough at `high`.
    low, high = 0, widest
    while found(high)[0] < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if found(middle)[0] < wanted else (low, middle)
    count, nearest = min((found(k) for k in (low, high) if k), key=lambda one: abs(one[0] - wanted))
    if abs(count - wanted) > _ABOUT * wanted:
        hidden = " and ".join(str(level.hidden) for level in nearest.model.rnn)
        raise spec.origin.error(
            [
                Problem(
                    ("model", "rnn"),
                    f"no hidden size gives about {wanted:,} parameters; hidden = {hidden} comes nearest, with {count:,}",
                )
            ]
        )
    return nearest
