"""Options that nothing varies, and options that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from rnnkit.kinds import Plugin
from rnnkit.registry.options import option_types
from rnnkit.testing.cases import differentiable_cases
from rnnkit.testing.choices import options
from rnnkit.testing.example import copied, seeded
from rnnkit.testing.variants import Variant


def idle(every: Sequence[Variant[Any]]) -> Iterator[str]:
    """A sentence for each option of a plugin that is not varied, or whose values change no forward pass.

    Args:
        every: the variants, the defaults first.
    """
    base = every[0].plugin
    for name in option_types(type(base)):
        varied = [v for v in every[1:] if getattr(v.plugin, name) != getattr(base, name)]
        if not varied:
            yield (
                f"option {name!r} is checked at {getattr(base, name)!r} alone, as no other value that was tried "
                "is allowed: add a class method variants() that returns some instances"
            )
        elif not any(_results(v.plugin) != _results(_without(v, name, base)) for v in varied):
            yield f"option {name!r} changes nothing in the forward pass"


def _without(variant: Variant[Any], name: str, base: Plugin) -> Plugin:
    """The variant with this option as it is in the defaults."""
    fields = {f.name: f.alias or f.name for f in options(type(base))}
    made: Plugin = attrs.evolve(variant.plugin, **{fields[name]: getattr(base, name)})
    return made


def _results(plugin: Plugin) -> list[bytes]:
    """The outputs of the core cases; nothing of those that cannot be computed."""
    found = []
    for case in differentiable_cases(plugin):
        if case.core:
            try:
                with np.errstate(all="ignore"):
                    example = case.draw(seeded(case.id, 0))
                    outputs, _ = example.forward(copied(example.leaves))
            except Exception:  # the checks tell
                continue
            found += [np.asarray(y).tobytes() for y in outputs.values()]
    return found
