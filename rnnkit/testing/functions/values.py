"""Values of a forward pass beside those of a solution, and beside numbers that were printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.kinds import Array
from rnnkit.testing.examine import Finding
from rnnkit.testing.functions.changes import explained, in_time, other_function
from rnnkit.testing.functions.finding import Found
from rnnkit.testing.functions.settings import Setting
from rnnkit.testing.pairs import Pair
from rnnkit.testing.patterns import ELEMENTWISE, Gap, explain

SAME: Final = 1e-9
"""How far a right value may be off, relative to the largest number: another order of summation moves it by 1e-15."""
PRINTED: Final = 1e-7
"""The same for printed numbers, which have eight digits."""


def outputs_of(found: Found, arguments: Mapping[str, Any]) -> dict[str, Array]:
    """What the forward pass returns beside its cache.

    Raises:
        Broken: it breaks a law.
        Exception: whatever it raises itself.
    """
    assert found.forward is not None
    pair = Pair(found.forward, found.backward or (lambda *given: None), arguments)
    outputs, _ = pair.run(pair.leaves)
    return dict(outputs)


def beside_solution(
    solution: Found, setting: Setting, compute: Callable[[Mapping[str, Any]], Mapping[str, Array]]
) -> Finding:
    """What is computed at a setting, beside what a solution computes there.

    Args:
        solution: what is right.
        setting: with the arguments.
        compute: from arguments to outputs, by the names that the function gives them.
    """

    def solve(arguments: Mapping[str, Any]) -> list[Array]:
        return list(outputs_of(solution, arguments).values())

    wanted = solve(setting.arguments)  # first, as arguments may be changed in place
    got = compute(setting.arguments)
    finding = compared(got, wanted, "it must be")
    if finding.ok:
        return finding
    why = explained(list(got.values()), solve, setting.arguments)
    text = f"{finding.text}\n  {why}" if why else finding.text
    return with_label(attrs.evolve(finding, text=text), setting.label)


def compared(
    got: Mapping[str, Array], wanted: Sequence[Array], what: str, tolerance: float = SAME
) -> Finding:
    """Outputs beside what they must be, in their order.

    Args:
        got: by the names that the function gives them.
        wanted: what must come out.
        what: where that is from, for the message.
        tolerance: how far they may be off.
    """
    if len(got) != len(wanted):
        text = (
            f"forward returns {len(got)} outputs and a cache; it must return {len(wanted)} outputs"
        )
        return _wrong(text)
    lines, wrong = [], []
    for (name, a), b in zip(got.items(), wanted, strict=True):
        line = _apart(np.asarray(a), np.asarray(b), what, tolerance)
        wrong += [name] * bool(line)
        lines.append(f"  {name}  {line or 'right'}")
    if not wrong:
        return Finding()
    return _wrong("\n".join([f"{', '.join(wrong)} {'are' if wrong[1:] else 'is'} wrong", *lines]))


def _wrong(text: str) -> Finding:
    return Finding(broken="value", text=text, blame="forward")


def _apart(a: Array, b: Array, what: str, tolerance: float) -> str:
    """How an output differs; nothing if it does not."""
    if a.shape != b.shape:
        return f"WRONG: it has shape {a.shape}, not {b.shape}"
    if a.dtype.kind not in "fiub":
        return f"WRONG: it is of type {a.dtype}, not of numbers"
    room = tolerance * max(1.0, float(np.max(np.abs(b), initial=0.0)))
    off = ~(np.abs(a - b) <= room)
    if not off.any():
        return ""
    at = np.unravel_index(np.argmax(np.where(np.isfinite(a), np.abs(a - b), np.inf)), a.shape)
    where = f" at {[int(i) for i in at]}" if at else ""
    said = f"WRONG{where}: forward gives {a[at]:.6g}, {what} {b[at]:.6g} ({off.mean():.0%} of the elements are wrong)"
    hint = _hint(a, b, tolerance)
    return f"{said}; {hint}" if hint else said


def _hint(a: Array, b: Array, tolerance: float) -> str:
    if not np.isfinite(a).all():
        return "it has numbers that are not finite"
    if not a.any():
        return "it is 0 everywhere"
    if a.ndim == 0:
        return _ratio(float(a), float(b))
    return (
        in_time(a, b)
        or other_function(a, b)
        or explain(Gap(a.astype(float), b.astype(float), tolerance), ELEMENTWISE)
    )


def _ratio(a: float, b: float) -> str:
    """A number that is another one times or by a whole number."""
    for n in range(2, 50):
        if abs(a * n - b) < SAME * abs(b):
            return f"it is 1/{n} of the right one"
        if abs(a - b * n) < SAME * abs(b):
            return f"it is {n} times the right one"
    return "the sign is wrong" if abs(a + b) < SAME * abs(b) else ""


def with_label(finding: Finding, label: str) -> Finding:
    """A finding that says at which setting it is so."""
    if finding.ok or not label:
        return finding
    head, *more = finding.text.split("\n")
    return attrs.evolve(finding, text="\n".join([f"{head}, with {label}", *more]))
