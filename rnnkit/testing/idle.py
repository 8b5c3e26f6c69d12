"""Options that nothing varies, and options that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Initializer, Optimizer, Plugin, Progress, Reward, Schedule
from rnnkit.registry.options import option_types
from rnnkit.testing.cases import differentiable_cases
from rnnkit.testing.choices import options
from rnnkit.testing.contracts.reward import Corpus
from rnnkit.testing.example import copied, seeded
from rnnkit.testing.variants import Variant

UPDATES: Final = 20
SHAPES: Final = ((4, 6), (6, 6))
DOUBLE: Final = np.dtype(np.float64)
METRIC: Final = (
    3.0,
    2.0,
    2.5,
    2.4,
    1.99997,
    2.3,
    2.2,
    2.1,
    2.0,
    1.9,
    *(2.0 + 0.01 * k for k in range(40)),
)
"""Values of the metric at evaluations: better and worse ones."""

PROGRESS: Final = tuple(
    Progress(step, steps, epoch, METRIC[: step // (steps // 50)])
    for steps, epoch in ((100, 10), (10_000, 500))
    for step in range(0, steps, steps // 50)
)
"""Along a short training, and a longer one."""


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
            what = "the forward pass" if any(differentiable_cases(base)) else "what it computes"
            yield f"option {name!r} changes nothing in {what}"


def _without(variant: Variant[Any], name: str, base: Plugin) -> Plugin:
    """The variant with this option as it is in the defaults."""
    fields = {f.name: f.alias or f.name for f in options(type(base))}
    made: Plugin = attrs.evolve(variant.plugin, **{fields[name]: getattr(base, name)})
    return made


def _results(plugin: Plugin) -> list[bytes]:
    """What it computes with these options; nothing of what it cannot."""
    try:
        match plugin:
            case Optimizer():
                return [_after_updates(plugin, size) for size in (1.0, 1e-6)]
            case Schedule():
                return [repr(plugin.factor(at)).encode() for at in PROGRESS]
            case Initializer():
                rng = np.random.default_rng(0)
                return [plugin.fill(shape, 4, 6, rng, DOUBLE).tobytes() for shape in SHAPES]
            case Reward():
                return [Corpus.drawn(np.random.default_rng(0)).judged(plugin).tobytes()]
    except Exception:  # the checks tell
        return []
    return list(_outputs(plugin))


def _after_updates(plugin: Optimizer[Any], size: float) -> bytes:
    """A parameter of about this size after some updates, with gradients of several sizes."""
    w = size * np.linspace(-2.0, 2.0, 12)
    slots = plugin.slots(w)
    for step in range(1, UPDATES + 1):
        plugin.update(w, np.sin(step + np.arange(12.0)) * 10.0 ** (step % 5 - 2), slots, step, 1.0)
    return w.tobytes()


def _outputs(plugin: Plugin) -> Iterator[bytes]:
    """The outputs of the core cases; nothing of those that cannot be computed."""
    for case in differentiable_cases(plugin):
        if case.core:
            try:
                with np.errstate(all="ignore"):
                    example = case.draw(seeded(case.id, 0))
                    outputs, _ = example.forward(copied(example.leaves))
            except Exception:  # the checks tell
                continue
            yield from (np.asarray(y).tobytes() for y in outputs.values())
