"""Plugins as graphs: what `step`, `forward` or `evaluate` computes, with all arrays by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

import numpy as np

from rnnkit.errors import TraceError
from rnnkit.kinds.activation import Activation
from rnnkit.kinds.arrays import Arrays, Rng, map_arrays, named_arrays, with_values
from rnnkit.kinds.cell import Cell, GatedCell, RecurrentCell
from rnnkit.kinds.layer import Layer
from rnnkit.kinds.loss import Loss
from rnnkit.kinds.plugin import Plugin
from rnnkit.kinds.step_only import FreeStep, GatedStep
from rnnkit.tracing import Graph, Sizes, trace

__all__ = ["traced"]

DOUBLE: Final = np.dtype(np.float64)

ROWS: Final[Sequence[Sizes]] = ({"N": 3, "D": 4, "H": 5}, {"N": 4, "D": 4, "H": 5})
"""What a plugin is traced at: how many rows there are is free, and widths are as they are."""

MASKED: Final[Sequence[Sizes]] = tuple(
    {"N": n, "K": k, "H": 5} for n, k in ((7, 3), (8, 3), (8, 5))
)
"""The same for losses: of N positions K count."""

NEAR: Final = 16
"""How far beyond the width that is wanted one is looked for that a plugin can have."""


def traced(
    plugin: Plugin, sizes: Sequence[Sizes] | None = None, *, training: bool = False
) -> Graph:
    """The graph of one step of a cell, or of what a layer, an activation or a loss computes.

    Inputs are called `zx` and `zh`, or `x`; `s.` and `p.` and the name of each array of the state and of the
    parameters; of a loss `scores`, `targets` and `mask`. Outputs are `s.` and the name of each array of the state; `y`;
    of a loss `loss` and `dscores`.

    Args:
        plugin: a cell, layer, activation or loss.
        sizes: the lengths to look at: N rows; D, the width of inputs; H, the width of outputs; K, of a loss the
            positions that count. By default N changes alone, and K.
        training: whether a layer is given a source of randomness.

    Raises:
        TraceError: it cannot be traced; with the line, and what to write instead.
    """
    if isinstance(plugin, RecurrentCell):
        made: Any = CellTrace(plugin)
    elif isinstance(plugin, Layer):
        made = LayerTrace(plugin, training)
    elif isinstance(plugin, Activation):
        made = ActivationTrace(plugin)
    elif isinstance(plugin, Loss):
        return trace(LossTrace(plugin).run, LossTrace(plugin).draw, sizes or MASKED)
    else:
        raise TraceError(f"{type(plugin).__name__} is {plugin.noun}, which has no graph")
    return trace(made.run, made.draw, sizes or ROWS)


class CellTrace:
    """A step of a cell as a function of arrays."""

    def __init__(self, cell: RecurrentCell[Any, Any, Any]) -> None:
        self.cell = cell
        self.p, self.s = self._begin({"N": 1, "D": 4, "H": 5}, np.random.default_rng(0))

    def _begin(self, sizes: Sizes, rng: Rng) -> tuple[Any, Any]:
        """Parameters, and the state before the first step."""
        cell, D, H = self.cell, sizes["D"], sizes["H"]
        if isinstance(cell, GatedCell | GatedStep):
            p = cell.init(H, rng, DOUBLE)
        else:
            assert isinstance(cell, Cell | FreeStep)
            p = cell.init(D, H, rng, DOUBLE)
        s = cell.start(0.5 * rng.standard_normal((sizes["N"], cell.start_width(H))))
        return stirred(p, rng), s

    def _inputs(self, sizes: Sizes, rng: Rng) -> dict[str, Any]:
        N, H, cell = sizes["N"], sizes["H"], self.cell
        if isinstance(cell, GatedCell | GatedStep):
            return {
                "zx": rng.standard_normal((N, len(cell.x_gates) * H)),
                "zh": rng.standard_normal((N, len(cell.h_gates) * H)),
            }
        return {"x": rng.standard_normal((N, sizes["D"]))}

    def draw(self, sizes: Sizes, rng: Rng) -> Mapping[str, Any]:
        """Parameters, inputs, and a state that a step led to."""
        p, s = self._begin(sizes, rng)
        before = {**named("p.", p), **named("s.", s), **self._inputs(sizes, rng)}
        return {**before, **self.run(before, rng), **self._inputs(sizes, rng)}

    def run(self, at: Mapping[str, Any], rng: Any) -> dict[str, Any]:
        """The state after a step."""
        p, s, cell = with_values(self.p, at, "p."), with_values(self.s, at, "s."), self.cell
        if isinstance(cell, GatedStep):
            return named("s.", cell.step(p, at["zx"], at["zh"], s))
        if isinstance(cell, FreeStep):
            return named("s.", cell.step(p, at["x"], s))
        if isinstance(cell, GatedCell):
            return named("s.", cell.step(p, at["zx"], at["zh"], s)[0])
        assert isinstance(cell, Cell)
        return named("s.", cell.step(p, at["x"], s)[0])


class LayerTrace:
    """The forward pass of a layer as a function of arrays."""

    def __init__(self, layer: Layer[Any, Any, Any], training: bool) -> None:
        self.training = training
        self._open = layer
        self.layer, width = self._fitted(4, 5)
        self.p = self.layer.init(width, np.random.default_rng(0), DOUBLE)

    def _fitted(self, in_features: int, out_features: int) -> tuple[Layer[Any, Any, Any], int]:
        """The layer with an output, and the width of an input, that are near what is wanted."""
        problem: Exception | None = None
        for out, width in product(_near(out_features), _near(in_features)):
            try:
                layer = self._open.fit(out)
                layer.out_features(width)
                layer.init(width, np.random.default_rng(0), DOUBLE)
                return layer, width
            except ValueError as e:
                problem = e
        raise TraceError(
            f"{type(self._open).__name__} takes no width near {in_features}: {problem}"
        )

    def draw(self, sizes: Sizes, rng: Rng) -> Mapping[str, Any]:
        """Parameters, and inputs or tokens."""
        layer, width = self._fitted(sizes["D"], sizes["H"])
        p = stirred(layer.init(width, rng, DOUBLE), rng)
        tokens = rng.integers(0, width, sizes["N"])
        x = tokens if layer.tokens else rng.standard_normal((sizes["N"], width))
        return {"x": x, **named("p.", p)}

    def run(self, at: Mapping[str, Any], rng: Any) -> dict[str, Any]:
        """What the layer gives."""
        p = with_values(self.p, at, "p.")
        return {"y": self.layer.forward(p, at["x"], rng if self.training else None)[0]}


class ActivationTrace:
    """An activation as a function of arrays."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def draw(self, sizes: Sizes, rng: Rng) -> Mapping[str, Any]:
        """Numbers on both sides of 0."""
        return {"x": rng.standard_normal((sizes["N"], sizes["H"]))}

    def run(self, at: Mapping[str, Any], rng: Any) -> dict[str, Any]:
        """Its values."""
        return {"y": self.activation.forward(at["x"])[0]}


class LossTrace:
    """A loss as a function of arrays."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def draw(self, sizes: Sizes, rng: Rng) -> Mapping[str, Any]:
        """Scores, targets, and a mask with K positions that count."""
        N, V = sizes["N"], sizes["H"]
        mask = np.zeros(N, bool)
        mask[rng.permutation(N)[: sizes["K"]]] = True
        return {
            "scores": rng.standard_normal((N, V)),
            "targets": rng.integers(0, V, N),
            "mask": mask,
        }

    def run(self, at: Mapping[str, Any], rng: Any) -> dict[str, Any]:
        """The loss and its gradient."""
        loss, dscores = self.loss.evaluate(at["scores"], at["targets"], at["mask"])
        return {"loss": loss, "dscores": dscores}

    def value(self, at: Mapping[str, Any], rng: Any) -> dict[str, Any]:
        """The loss alone, whatever is returned beside it."""
        return {"loss": self.loss.evaluate(at["scores"], at["targets"], at["mask"])[0]}


def named(prefix: str, a: Arrays) -> dict[str, Any]:
    """The arrays of a container, by their dotted names behind a prefix."""
    return {f"{prefix}{name}": array for name, array in named_arrays(a)}


def stirred(p: Any, rng: Rng) -> Any:
    """Parameters none of which is 0."""
    return map_arrays(lambda a: a + 0.1 * rng.standard_normal(a.shape), p)


def _near(width: int) -> range:
    return range(width, width + NEAR)
