"""What the harness examines: a differentiable computation at a point, with its hand-written backward pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Array, Rng
from rnnkit.tracing import Graph

Leaves: TypeAlias = Mapping[str, Array]
"""Arrays by name: what goes in, what comes out, or gradients of either."""

Pass: TypeAlias = Literal["forward", "backward"]
"""Which of the two computes wrong."""


@attrs.frozen
class Traceable:
    """What an example computes, as a graph that can be made of it.

    Attributes:
        graph: makes it; its inputs have the names of the leaves, and may have fewer axes ahead.
        others: inputs that are no leaves.
        seed: of the random numbers that it draws.
        called: what backward calls the gradients of outputs, where that is not d and the name.
        ones: whether it has none, and takes them for 1, as a loss does.
        letters: letter of a length -> an expression of it.
        remark: on gradients of parameters.
        function: of the author, in whose variables formulas are written.
    """

    graph: Callable[[], Graph]
    others: Mapping[str, Any] = attrs.field(factory=dict)
    seed: int = 0
    called: Mapping[str, str] = attrs.field(factory=dict)
    ones: bool = False
    letters: Mapping[str, str] = attrs.field(factory=dict)
    remark: str = ""
    function: Callable[..., Any] | None = None


@attrs.frozen
class Example:
    """One computation at one point.

    Attributes:
        leaves: float64 inputs that have a gradient.
        forward: leaves -> (outputs, cache). It must compute in whatever type the leaves have.
        backward: (leaves, cotangents, cache) -> the gradient of sum(cotangent * output) for each leaf.
        rows: leaves whose first axis counts rows that must not see each other. If there are any, every
            output has that axis too.
        scratch: leaves that the forward pass may overwrite.
        gates: column blocks of a leaf by name, for reports.
        cotangents: those to use; random ones if left open.
        laws: what else must hold, given the example: each raises `Broken`.
        named: the cache as reports call what is in it.
        single: what to ask of float32: that its numbers are those of float64 ("compare"), only that it
            stays float32 and finite ("types"; where numbers are meant to be extreme), or nothing ("skip").
        daring: whether the numbers may leave the range that the forward pass can compute in; then it is not
            examined.
        traceable: the forward pass as a graph, where formulas of its gradients may be short.
    """

    leaves: Leaves
    forward: Callable[[Leaves], tuple[Leaves, Any]]
    backward: Callable[[Leaves, Leaves, Any], Leaves]
    rows: tuple[str, ...] = ()
    scratch: frozenset[str] = frozenset()
    gates: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    cotangents: Leaves | None = None
    laws: tuple[Callable[[Example], None], ...] = ()
    named: Callable[[Any], Any] = lambda cache: cache
    single: Literal["compare", "types", "skip"] = "compare"
    daring: bool = False
    traceable: Traceable | None = None


@attrs.frozen
class Case:
    """An example to be drawn.

    Attributes:
        id: says what is special about it, as `N=2,H=5`.
        draw: makes the example from a source of randomness.
        core: whether it is one of the few that options other than the defaults are checked with.
    """

    id: str
    draw: Callable[[Rng], Example]
    core: bool = False


class Broken(Exception):
    """A law does not hold; the message is a sentence that says how, `blame` the pass that is at fault."""

    def __init__(self, law: str, text: str, blame: Pass = "backward") -> None:
        super().__init__(text)
        self.law = law
        self.text = text
        self.blame: Pass = blame


def seeded(name: str, seed: int) -> Rng:
    """A generator for one case: its numbers depend on its name and the base seed, and on nothing else."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed])


def copied(leaves: Leaves) -> dict[str, Array]:
    """Fresh arrays of equal values."""
    return {name: a.copy() for name, a in leaves.items()}


def equal_bits(a: Array, b: Array) -> bool:
    """Whether two arrays are the same, nan included and -0 told from 0."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
